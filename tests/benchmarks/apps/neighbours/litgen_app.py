"""The slow one; the fast one is noop."""

import time

from litgen_runtime import Endpoint
from tests.benchmarks.apps.noop.schemas import NoopRequest, NoopResponse

_SLEEP_S = 0.05


class Slow(Endpoint[NoopRequest, NoopResponse]):
    """Takes 50 ms."""

    def predict(self, request: NoopRequest) -> NoopResponse:
        """Return the square, late."""
        time.sleep(_SLEEP_S)
        return NoopResponse(y=request.x * request.x)
