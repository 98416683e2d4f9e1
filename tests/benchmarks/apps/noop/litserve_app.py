"""noop as a LitServe API: one worker, one HTTP process, no access log."""

import sys
from typing import Any

import litserve as ls  # type: ignore[import-not-found]  # it has an environment of its own

from tests.benchmarks.apps.noop.schemas import NoopRequest, NoopResponse


class Noop(ls.LitAPI):  # type: ignore[misc]  # untyped where it is not installed
    """Squares in a worker process."""

    def setup(self, device: str) -> None:
        """Load nothing."""

    def decode_request(self, request: NoopRequest) -> NoopRequest:
        """Take the request as FastAPI has validated it."""
        return request

    def predict(self, request: NoopRequest) -> NoopResponse:
        """Return the square."""
        return NoopResponse(y=request.x * request.x)

    def encode_response(self, output: NoopResponse, **_kwargs: Any) -> NoopResponse:
        """Give the response as it is."""
        return output


if __name__ == "__main__":
    ls.LitServer(Noop(), accelerator="cpu", workers_per_device=1).run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False, log_level="warning"
    )
