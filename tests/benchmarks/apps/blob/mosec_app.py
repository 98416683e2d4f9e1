"""blob as a MOSEC worker: one worker process behind MOSEC's own HTTP server."""

from mosec import Server, Worker  # type: ignore[import-not-found]  # it has an environment of its own

from tests.benchmarks.apps.blob.schemas import BlobResponse, measured


class Blob(Worker):  # type: ignore[misc]  # untyped where it is not installed
    """Measures bytes in a worker process."""

    def deserialize(self, data: bytes) -> bytes:
        """Take the body as it is."""
        return data

    def forward(self, data: bytes) -> BlobResponse:
        """Return what the bytes are."""
        return measured(data)

    def serialize(self, data: BlobResponse) -> bytes:
        """Write the response."""
        return data.model_dump_json().encode()


if __name__ == "__main__":
    server = Server()
    server.append_worker(Blob, num=1, route="/predict")
    server.run()
