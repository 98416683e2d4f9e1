"""blob as a litgen endpoint; service.toml is its other half."""

from litgen_runtime import Endpoint
from tests.benchmarks.apps.blob.schemas import BlobResponse, measured


class Blob(Endpoint[bytes, BlobResponse]):
    """Measures bytes in a worker process."""

    def predict(self, request: bytes) -> BlobResponse:
        """Return what they are."""
        return measured(request)
