"""POST /v1/classify: many callers' scans, read in one pass."""

from pathlib import Path

import torch
from litgen_runtime import BatchEndpoint

from digits.network import Network, probabilities

from .schemas import ClassifyRequest, ClassifyResponse

WEIGHTS = Path(__file__).with_name("weights.pt")


class Classify(BatchEndpoint[ClassifyRequest, ClassifyResponse]):
    """Reads a batch of scans."""

    def setup(self, device: str) -> None:
        """Load the trained weights; ``python -m digits.training`` makes them."""
        torch.set_num_threads(1)  # so small a network gains nothing from more
        self.device = device
        self.network = Network()
        self.network.load_state_dict(torch.load(WEIGHTS, map_location=device, weights_only=True))
        self.network.to(device).eval()

    def predict(self, batch: list[ClassifyRequest]) -> list[ClassifyResponse]:
        """Return the likeliest digit for each scan, in the same order."""
        images = torch.tensor([request.pixels for request in batch], device=self.device)
        chances, digits = probabilities(self.network, images).max(dim=1)
        return [
            ClassifyResponse(digit=digit, probability=min(chance, 1.0))
            for digit, chance in zip(digits.tolist(), chances.tolist(), strict=True)
        ]
