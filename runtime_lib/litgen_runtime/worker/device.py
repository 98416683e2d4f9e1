"""Making a device the current one before the owner's ``setup`` runs."""

from __future__ import annotations

import importlib.util
import sys

from litgen_runtime.errors import SettingsError


def claim(device: str, memory_fraction: float | None) -> None:
    """Make ``device`` torch's current device and bound the memory that this process may take of it.

    torch is imported only for a CUDA or MPS device, and only where it is installed.

    Raises:
        SettingsError: a memory share is asked for and torch, which enforces it, is not installed; or torch
            cannot use the device.
    """
    if device == "mps":
        _check_mps()
    elif device.startswith("cuda"):
        _claim_cuda(device, memory_fraction)


def _check_mps() -> None:
    if "torch" not in sys.modules and importlib.util.find_spec("torch") is None:
        return  # another framework: the device is the owner's to claim
    import torch

    if not torch.backends.mps.is_available():
        raise SettingsError(
            'workers.devices is "mps"; torch says that it cannot use it here. '
            'Use "cpu", or a build of torch and a macOS with MPS.'
        )


def _claim_cuda(device: str, memory_fraction: float | None) -> None:
    if "torch" not in sys.modules and importlib.util.find_spec("torch") is None:
        if memory_fraction is not None:
            raise SettingsError(
                f"workers.gpu_memory_fraction is {memory_fraction:g}, enforced by torch, which is not installed. "
                "Install torch, or remove the key from service.toml."
            )
        return
    import torch

    index = int(device.partition(":")[2])
    if index >= torch.cuda.device_count():
        raise SettingsError(
            f"workers.devices asks for {device}; torch sees {torch.cuda.device_count()} CUDA devices here. "
            "Fix service.toml, CUDA_VISIBLE_DEVICES or the installed build of torch."
        )
    torch.cuda.set_device(index)
    if memory_fraction is not None:
        torch.cuda.set_per_process_memory_fraction(memory_fraction, index)
