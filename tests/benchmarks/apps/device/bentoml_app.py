"""device as a BentoML service: one worker, adaptive batching, no access log. A request holds a list of one."""

import bentoml  # type: ignore[import-not-found]  # it has an environment of its own

from tests.benchmarks.apps.device.model import Device
from tests.benchmarks.apps.device.schemas import DeviceRequest, DeviceResponse


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class DeviceService:
    """Drives the device from BentoML's worker."""

    def __init__(self) -> None:
        self.device = Device()

    @bentoml.api(route="/predict", batchable=True, max_batch_size=32)  # type: ignore[untyped-decorator]  # not installed
    def predict(self, batch: list[DeviceRequest]) -> list[DeviceResponse]:
        """Return the squares."""
        return [DeviceResponse(y=y) for y in self.device.run([request.x for request in batch])]
