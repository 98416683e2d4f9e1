"""POST /v1/classify: many callers' scans, read in one pass."""

import torch
from litgen_runtime import BatchEndpoint

from digits.network import likeliest, trained

from .schemas import ClassifyRequest, ClassifyResponse


class Classify(BatchEndpoint[ClassifyRequest, ClassifyResponse]):
    """Reads a batch of scans."""

    def setup(self, device: str) -> None:
        """Load the trained weights."""
        self.device = device
        self.network = trained(device)

    def predict(self, batch: list[ClassifyRequest]) -> list[ClassifyResponse]:
        """Return the likeliest digit for each scan, in the same order."""
        images = torch.tensor([request.pixels for request in batch], device=self.device)
        return [
            ClassifyResponse(digit=digit, probability=probability)
            for digit, probability in likeliest(self.network, images)
        ]
