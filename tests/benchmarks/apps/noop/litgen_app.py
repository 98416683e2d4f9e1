"""noop as a litgen endpoint; service.toml is its other half."""

from litgen_runtime import Endpoint
from tests.benchmarks.apps.noop.schemas import NoopRequest, NoopResponse


class Noop(Endpoint[NoopRequest, NoopResponse]):
    """Squares in a worker process."""

    def predict(self, request: NoopRequest) -> NoopResponse:
        """Return the square."""
        return NoopResponse(y=request.x * request.x)
