"""noop as a MOSEC worker: one worker process behind MOSEC's own HTTP server."""

from mosec import Server, Worker  # type: ignore[import-not-found]  # it has an environment of its own

from tests.benchmarks.apps.noop.schemas import NoopRequest, NoopResponse


class Noop(Worker):  # type: ignore[misc]  # untyped where it is not installed
    """Squares in a worker process."""

    def deserialize(self, data: bytes) -> NoopRequest:
        """Check the request."""
        return NoopRequest.model_validate_json(data)

    def forward(self, data: NoopRequest) -> NoopResponse:
        """Return the square."""
        return NoopResponse(y=data.x * data.x)

    def serialize(self, data: NoopResponse) -> bytes:
        """Write the response."""
        return data.model_dump_json().encode()


if __name__ == "__main__":
    server = Server()
    server.append_worker(Noop, num=1, route="/predict")
    server.run()
