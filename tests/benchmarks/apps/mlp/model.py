"""The network that every contender runs."""

import threading
from collections.abc import Sequence
from itertools import pairwise

import torch

MAX_BATCH = 32
_WIDTHS = (512, 2048, 2048, 512)


class Mlp:
    """512 → 2048 → 2048 → 512 with random weights, on one thread, one batch of at most 32 at a time."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        layers: list[torch.nn.Module] = []
        for width, following in pairwise(_WIDTHS):
            layers += [torch.nn.Linear(width, following), torch.nn.ReLU()]
        self._layers = torch.nn.Sequential(*layers[:-1]).eval()
        self._free = threading.Lock()

    def run(self, batch: Sequence[Sequence[float]]) -> list[int]:
        """Return the label of each row: where the highest of its 512 scores stands.

        Raises:
            ValueError: the batch is too large.
        """
        if len(batch) > MAX_BATCH:
            raise ValueError(f"a batch of {len(batch)}; expected at most {MAX_BATCH}. Lower the batch size.")
        with self._free, torch.inference_mode():
            labels: list[int] = self._layers(torch.tensor(batch)).argmax(1).tolist()
        return labels
