"""The network: two convolutions and two linear layers over 8x8 grey images."""

from pathlib import Path

import torch
from torch import Tensor, nn

SIZE = 8
WHITE = 16.0
WEIGHTS = Path(__file__).parent / "endpoints/classify/weights.pt"


class Network(nn.Module):
    """From images to a score for each of the ten digits."""

    def __init__(self) -> None:
        """Lay out the network with random weights."""
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(0.25),
            nn.Flatten(),
            nn.Linear(64 * 4 * 4, 64),
            nn.ReLU(),
            nn.Linear(64, 10),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return scores, float32 [images, 10].

        Args:
            images: float32 [images, 8, 8], 0 is black and 16 is white.
        """
        scores: Tensor = self.layers(images.unsqueeze(1) / WHITE)
        return scores


def trained(device: str) -> Network:
    """Return the network with the weights that ``python -m digits.training`` has saved."""
    torch.set_num_threads(1)  # so small a network gains nothing from more
    network = Network()
    network.load_state_dict(torch.load(WEIGHTS, map_location=device, weights_only=True))
    return network.to(device).eval()


def likeliest(network: Network, images: Tensor) -> list[tuple[int, float]]:
    """Return each image's digit and how likely it is."""
    chances, digits = probabilities(network, images).max(dim=1)
    return list(zip(digits.tolist(), chances.clamp(max=1).tolist(), strict=True))


def probabilities(network: Network, images: Tensor) -> Tensor:
    """Return how likely each digit is, float32 [images, 10]."""
    with torch.inference_mode():
        chances: Tensor = network(images).softmax(dim=1)
    return chances
