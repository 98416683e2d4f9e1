"""stream as a MOSEC worker of server-sent events: one worker process behind MOSEC's own HTTP server."""

from mosec import Server, SSEWorker  # type: ignore[import-not-found]  # it has an environment of its own

from tests.benchmarks.apps.stream.schemas import StreamRequest, tokens


class Stream(SSEWorker):  # type: ignore[misc]  # untyped where it is not installed
    """Sends tokens from a worker process."""

    def deserialize(self, data: bytes) -> StreamRequest:
        """Check the request."""
        return StreamRequest.model_validate_json(data)

    def forward(self, data: StreamRequest) -> None:
        """Send them."""
        for token in tokens(data):
            self.send_stream_event(token.model_dump_json())

    def serialize(self, data: None) -> bytes:
        """Add nothing: everything has been sent."""
        return b""


if __name__ == "__main__":
    server = Server()
    server.append_worker(Stream, num=1, route="/predict")
    server.run()
