"""device as a LitServe API: one worker, one HTTP process, no access log."""

import sys
from typing import Any

import litserve as ls  # type: ignore[import-not-found]  # it has an environment of its own

from tests.benchmarks.apps.device.model import Device
from tests.benchmarks.apps.device.schemas import DeviceRequest, DeviceResponse


class DeviceAPI(ls.LitAPI):  # type: ignore[misc]  # untyped where it is not installed
    """Drives the device from a worker process."""

    def setup(self, device: str) -> None:
        """Open the device."""
        self.model = Device()

    def decode_request(self, request: DeviceRequest) -> float:
        """Take the number."""
        return request.x

    def batch(self, inputs: list[float]) -> list[float]:
        """Put a batch together; LitServe's own wants arrays or tensors."""
        return inputs

    def predict(self, batch: list[float]) -> list[float]:
        """Return the squares."""
        return self.model.run(batch)

    def unbatch(self, output: list[float]) -> list[float]:
        """Take a batch apart."""
        return output

    def encode_response(self, output: float, **_kwargs: Any) -> DeviceResponse:
        """Give the response."""
        return DeviceResponse(y=output)


if __name__ == "__main__":
    api = DeviceAPI(max_batch_size=32, batch_timeout=0.005)
    ls.LitServer(api, accelerator="cpu", workers_per_device=1).run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False, log_level="warning"
    )
