"""noop as a BentoML service: one worker, no access log."""

import bentoml  # type: ignore[import-not-found]  # it has an environment of its own

from tests.benchmarks.apps.noop.schemas import NoopRequest, NoopResponse


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Noop:
    """Squares in BentoML's worker."""

    @bentoml.api(route="/predict", input_spec=NoopRequest)  # type: ignore[untyped-decorator]  # not installed
    def predict(self, x: float) -> NoopResponse:
        """Return the square."""
        return NoopResponse(y=x * x)
