"""mlp as a BentoML service: one worker, adaptive batching, no access log. A request holds a list of one."""

import bentoml  # type: ignore[import-not-found]  # it has an environment of its own

from tests.benchmarks.apps.mlp.model import Mlp
from tests.benchmarks.apps.mlp.schemas import MlpRequest, MlpResponse


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class MlpService:
    """Runs the network in BentoML's worker."""

    def __init__(self) -> None:
        self.model = Mlp()

    @bentoml.api(route="/predict", batchable=True, max_batch_size=32)  # type: ignore[untyped-decorator]  # not installed
    def predict(self, batch: list[MlpRequest]) -> list[MlpResponse]:
        """Return the labels."""
        return [MlpResponse(label=label) for label in self.model.run([request.features for request in batch])]
