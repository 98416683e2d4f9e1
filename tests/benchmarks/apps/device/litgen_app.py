"""device as a litgen endpoint; service.toml is its other half."""

from litgen_runtime import BatchEndpoint
from tests.benchmarks.apps.device.model import Device
from tests.benchmarks.apps.device.schemas import DeviceRequest, DeviceResponse


class DeviceEndpoint(BatchEndpoint[DeviceRequest, DeviceResponse]):
    """Drives the device from a worker process."""

    def setup(self, device: str) -> None:
        """Open the device."""
        self.device = Device()

    def predict(self, batch: list[DeviceRequest]) -> list[DeviceResponse]:
        """Return the squares."""
        return [DeviceResponse(y=y) for y in self.device.run([request.x for request in batch])]
