"""Models that use a GPU, well and badly."""

import os
from typing import Any

from litgen_runtime import BatchEndpoint, Endpoint
from tests.integration.services.schemas import Answer, Command

_MIB = 2**20


class Obey(Endpoint[Command, Answer]):
    """Does one thing with the GPU, as told."""

    def setup(self, device: str) -> None:
        """Keep a tensor on the device."""
        import torch

        self._device = device
        self._held = torch.ones(1024, device=device)

    def predict(self, request: Command) -> Answer:
        """Do it."""
        import torch

        value: Any = None
        match request.do:
            case "sum":
                value = float(self._held.sum())
            case "device":
                value = f"{self._held.device} of {torch.cuda.device_count()}"
            case "allocate":
                block = torch.empty(request.number * _MIB, dtype=torch.uint8, device=self._device)
                value = block.numel()
            case "assert":
                self._held[torch.tensor([10_000], device=self._device)].sum().item()
        return Answer(value=value, pid=os.getpid())


class Large(BatchEndpoint[Command, Answer]):
    """Takes ``number`` MiB of the GPU for each request of a batch, all at once."""

    def setup(self, device: str) -> None:
        """Remember the device."""
        self._device = device

    def predict(self, batch: list[Command]) -> list[Answer]:
        """Allocate."""
        import torch

        size = sum(request.number for request in batch)
        block = torch.zeros(size * _MIB, dtype=torch.uint8, device=self._device)
        return [Answer(value=len(batch), pid=os.getpid(), score=float(block[0])) for _ in batch]
