"""device as a MOSEC worker: one worker process behind MOSEC's own HTTP server."""

from mosec import Server, Worker  # type: ignore[import-not-found]  # it has an environment of its own

from tests.benchmarks.apps.device.model import Device
from tests.benchmarks.apps.device.schemas import DeviceRequest, DeviceResponse


class DeviceWorker(Worker):  # type: ignore[misc]  # untyped where it is not installed
    """Drives the device from a worker process."""

    def __init__(self) -> None:
        super().__init__()
        self.device = Device()

    def deserialize(self, data: bytes) -> DeviceRequest:
        """Check the request."""
        return DeviceRequest.model_validate_json(data)

    def forward(self, data: list[DeviceRequest]) -> list[DeviceResponse]:
        """Return the squares."""
        return [DeviceResponse(y=y) for y in self.device.run([request.x for request in data])]

    def serialize(self, data: DeviceResponse) -> bytes:
        """Write the response."""
        return data.model_dump_json().encode()


if __name__ == "__main__":
    server = Server()
    server.append_worker(DeviceWorker, num=1, max_batch_size=32, max_wait_time=5, route="/predict")
    server.run()
