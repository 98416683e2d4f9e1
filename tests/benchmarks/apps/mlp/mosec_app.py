"""mlp as a MOSEC worker: one worker process behind MOSEC's own HTTP server."""

from mosec import Server, Worker  # type: ignore[import-not-found]  # it has an environment of its own

from tests.benchmarks.apps.mlp.model import Mlp
from tests.benchmarks.apps.mlp.schemas import MlpRequest, MlpResponse


class MlpWorker(Worker):  # type: ignore[misc]  # untyped where it is not installed
    """Runs the network in a worker process."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Mlp()

    def deserialize(self, data: bytes) -> MlpRequest:
        """Check the request."""
        return MlpRequest.model_validate_json(data)

    def forward(self, data: list[MlpRequest]) -> list[MlpResponse]:
        """Return the labels."""
        return [MlpResponse(label=label) for label in self.model.run([request.features for request in data])]

    def serialize(self, data: MlpResponse) -> bytes:
        """Write the response."""
        return data.model_dump_json().encode()


if __name__ == "__main__":
    server = Server()
    server.append_worker(MlpWorker, num=1, max_batch_size=32, max_wait_time=5, route="/predict")
    server.run()
