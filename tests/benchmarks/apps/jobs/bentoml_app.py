"""device as a BentoML task: as the service of device, with `task` in place of `api`. A request holds a list of one."""

import bentoml  # type: ignore[import-not-found]  # it has an environment of its own

from tests.benchmarks.apps.device.model import Device
from tests.benchmarks.apps.device.schemas import DeviceRequest, DeviceResponse


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class DeviceTasks:
    """Drives the device from BentoML's worker."""

    def __init__(self) -> None:
        self.device = Device()

    @bentoml.task(route="/predict", batchable=True, max_batch_size=32)  # type: ignore[untyped-decorator]  # not installed
    def predict(self, batch: list[DeviceRequest]) -> list[DeviceResponse]:
        """Return the squares."""
        return [DeviceResponse(y=y) for y in self.device.run([request.x for request in batch])]
