"""A model whose requests differ in size."""

import time

from litgen_runtime import BatchEndpoint
from tests.integration.services.schemas import Number


class Weighed(BatchEndpoint[Number, Number]):
    """Takes a while, and answers with what its batch weighed."""

    def weight(self, request: Number) -> float:
        """A request weighs what it asks; a negative one cannot be."""
        return request.x

    def predict(self, batch: list[Number]) -> list[Number]:
        """Sum up."""
        time.sleep(0.2)
        return [Number(x=sum(request.x for request in batch))] * len(batch)
