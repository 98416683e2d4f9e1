"""The network: two convolutions and two linear layers over 8x8 grey images."""

import torch
from torch import Tensor, nn

SIZE = 8
WHITE = 16.0


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


def probabilities(network: Network, images: Tensor) -> Tensor:
    """Return how likely each digit is, float32 [images, 10]."""
    with torch.inference_mode():
        chances: Tensor = network(images).softmax(dim=1)
    return chances
