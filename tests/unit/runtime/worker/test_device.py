from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace

import pytest

from litgen_runtime.errors import SettingsError
from litgen_runtime.worker.device import claim


class FakeCuda:
    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def device_count(self) -> int:
        return 2

    def set_device(self, index: int) -> None:
        self.calls.append(("set_device", index))

    def set_per_process_memory_fraction(self, share: float, index: int) -> None:
        self.calls.append(("share", share, index))


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    """Put a torch in place that only remembers."""
    fake = FakeCuda()
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=fake))
    return fake


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that torch is not installed."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def test_cpu_needs_no_torch(cuda: FakeCuda) -> None:
    """A CPU worker never touches CUDA."""
    claim("cpu", None)
    assert cuda.calls == []


def test_current_device(cuda: FakeCuda) -> None:
    """The worker's device is torch's current one before ``setup`` runs."""
    claim("cuda:1", None)
    assert cuda.calls == [("set_device", 1)]


def test_memory_share(cuda: FakeCuda) -> None:
    """A share bounds what this process may take of its own device."""
    claim("cuda:1", 0.5)
    assert cuda.calls == [("set_device", 1), ("share", 0.5, 1)]


def test_device_that_torch_does_not_see(cuda: FakeCuda) -> None:
    """A device that the driver has and torch has not is told as such."""
    with pytest.raises(SettingsError, match=r"asks for cuda:2; torch sees 2 CUDA devices here\. Fix "):
        claim("cuda:2", None)
    assert cuda.calls == []


@pytest.mark.parametrize("available", [True, False])
def test_mps(monkeypatch: pytest.MonkeyPatch, available: bool) -> None:
    """Apple's GPU has to be there for torch too; nothing is claimed."""
    backend = SimpleNamespace(is_available=lambda: available)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(backends=SimpleNamespace(mps=backend)))
    if available:
        claim("mps", None)
    else:
        with pytest.raises(SettingsError, match=r'workers.devices is "mps"; torch says that it cannot use it here'):
            claim("mps", None)


@pytest.mark.usefixtures("no_torch")
def test_another_framework() -> None:
    """Without torch a CUDA device is the owner's to claim."""
    claim("cuda:0", None)
    claim("mps", None)


@pytest.mark.usefixtures("no_torch")
def test_share_without_torch() -> None:
    """A share that nobody would enforce is refused."""
    with pytest.raises(SettingsError, match=r"workers.gpu_memory_fraction is 0.5, enforced by torch, which is not"):
        claim("cuda:0", 0.5)
