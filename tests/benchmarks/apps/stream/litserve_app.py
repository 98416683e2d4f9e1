"""stream as a LitServe API: one worker, one HTTP process, no access log. LitServe streams a JSON document a line."""

import sys
from collections.abc import Iterator
from typing import Any

import litserve as ls  # type: ignore[import-not-found]  # it has an environment of its own

from tests.benchmarks.apps.stream.schemas import StreamRequest, Token, tokens


class Stream(ls.LitAPI):  # type: ignore[misc]  # untyped where it is not installed
    """Yields tokens in a worker process."""

    def setup(self, device: str) -> None:
        """Load nothing."""

    def decode_request(self, request: StreamRequest) -> StreamRequest:
        """Take the request as FastAPI has validated it."""
        return request

    def predict(self, request: StreamRequest) -> Iterator[Token]:
        """Yield them."""
        yield from tokens(request)

    def encode_response(self, output: Iterator[Token], **_kwargs: Any) -> Any:
        """Give them as they are; FastAPI would take a narrower type for that of a whole answer."""
        yield from output


if __name__ == "__main__":
    ls.LitServer(Stream(stream=True), accelerator="cpu", workers_per_device=1).run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False, log_level="warning"
    )
