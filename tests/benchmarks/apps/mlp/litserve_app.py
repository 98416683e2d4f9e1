"""mlp as a LitServe API: one worker, one HTTP process, no access log."""

import sys
from typing import Any

import litserve as ls  # type: ignore[import-not-found]  # it has an environment of its own

from tests.benchmarks.apps.mlp.model import Mlp
from tests.benchmarks.apps.mlp.schemas import MlpRequest, MlpResponse


class MlpAPI(ls.LitAPI):  # type: ignore[misc]  # untyped where it is not installed
    """Runs the network in a worker process."""

    def setup(self, device: str) -> None:
        """Make the network."""
        self.model = Mlp()

    def decode_request(self, request: MlpRequest) -> list[float]:
        """Take the features."""
        return request.features

    def batch(self, inputs: list[list[float]]) -> list[list[float]]:
        """Put a batch together; LitServe's own wants tensors."""
        return inputs

    def predict(self, batch: list[list[float]]) -> list[int]:
        """Return the labels."""
        return self.model.run(batch)

    def unbatch(self, output: list[int]) -> list[int]:
        """Take a batch apart."""
        return output

    def encode_response(self, output: int, **_kwargs: Any) -> MlpResponse:
        """Give the response."""
        return MlpResponse(label=output)


if __name__ == "__main__":
    api = MlpAPI(max_batch_size=32, batch_timeout=0.005)
    ls.LitServer(api, accelerator="cpu", workers_per_device=1).run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False, log_level="warning"
    )
