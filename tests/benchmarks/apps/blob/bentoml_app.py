"""blob as a BentoML service: one worker, no access log. BentoML gives a body of bytes as a file."""

from pathlib import Path

import bentoml  # type: ignore[import-not-found]  # it has an environment of its own

from tests.benchmarks.apps.blob.schemas import BlobResponse, measured


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Blob:
    """Measures bytes in BentoML's worker."""

    @bentoml.api(route="/predict")  # type: ignore[untyped-decorator]  # not installed
    def predict(self, body: Path, /) -> BlobResponse:
        """Return what the bytes are."""
        return measured(body.read_bytes())
