"""stream as a litgen endpoint; service.toml is its other half."""

from collections.abc import Iterator

from litgen_runtime import StreamEndpoint
from tests.benchmarks.apps.stream.schemas import StreamRequest, Token, tokens


class Stream(StreamEndpoint[StreamRequest, Token]):
    """Yields tokens in a worker process."""

    def predict(self, request: StreamRequest) -> Iterator[Token]:
        """Yield them."""
        yield from tokens(request)
