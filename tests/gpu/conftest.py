"""Tests of a real NVIDIA GPU with torch: ``make test-gpu``; elsewhere they are skipped and say why."""

import importlib.util
import os

import pytest

from litgen_runtime.devices import cuda_count


def missing() -> str | None:
    """Return why these tests cannot run here."""
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed"
    if not cuda_count(os.environ):
        return "no NVIDIA GPU is visible"
    import torch

    return None if torch.cuda.is_available() else "this build of torch has no CUDA"


@pytest.fixture(autouse=True, scope="session")
def gpu() -> None:
    """Skip every test here where there is no GPU."""
    reason = missing()
    if reason is not None:
        pytest.skip(f"needs a GPU: {reason}")
