"""mlp as a litgen endpoint; service.toml is its other half."""

from litgen_runtime import BatchEndpoint
from tests.benchmarks.apps.mlp.model import Mlp
from tests.benchmarks.apps.mlp.schemas import MlpRequest, MlpResponse


class MlpEndpoint(BatchEndpoint[MlpRequest, MlpResponse]):
    """Runs the network in a worker process."""

    def setup(self, device: str) -> None:
        """Make the network."""
        self.model = Mlp()

    def predict(self, batch: list[MlpRequest]) -> list[MlpResponse]:
        """Return the labels."""
        return [MlpResponse(label=label) for label in self.model.run([request.features for request in batch])]
