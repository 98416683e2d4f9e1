from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime import devices
from litgen_runtime.devices import cuda_count, resolve_devices
from litgen_runtime.errors import SettingsError


@pytest.mark.parametrize(
    ("choice", "count", "expected"),
    [
        ("auto", 0, ["cpu"]),
        ("auto", 2, ["cuda:0", "cuda:1"]),
        ("cpu", 2, ["cpu"]),
        ("cuda", 3, ["cuda:0", "cuda:1", "cuda:2"]),
        ("cuda:1", 2, ["cuda:1"]),
        ("cuda:2,0", 3, ["cuda:2", "cuda:0"]),
    ],
)
def test_resolve_devices(choice: str, count: int, expected: list[str]) -> None:
    """Each choice means the devices that it says, in its order."""
    assert resolve_devices(choice, "key", count) == expected


@pytest.mark.parametrize(("choice", "count"), [("cuda", 0), ("cuda:0", 0), ("cuda:2", 2), ("cuda:0,7", 4)])
def test_absent_device(choice: str, count: int) -> None:
    """A CUDA device that is not there is refused with the key, the value, what there is and the fix."""
    with pytest.raises(SettingsError) as refused:
        resolve_devices(choice, "endpoints.embed.workers.devices", count)
    message = str(refused.value)
    assert message.startswith(f'endpoints.embed.workers.devices is "{choice}"; {count} CUDA devices are visible here.')
    assert 'Use "cpu" or "auto"' in message


def test_mps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apple's GPU is one device, on macOS; elsewhere it is refused in a sentence."""
    monkeypatch.setattr("sys.platform", "darwin")
    assert resolve_devices("mps", "key", 0) == ["mps"]
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(SettingsError, match=r'^key is "mps", Apple.s GPU, which only macOS has\. Use "auto"'):
        resolve_devices("mps", "key", 4)


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that the driver has four."""
    monkeypatch.setattr(devices, "_driver_count", lambda: 4)


@pytest.mark.usefixtures("four_gpus")
@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, 4),
        ("0", 1),
        ("0,2", 2),
        ("3, 1 ,0", 3),
        ("", 0),
        ("-1", 0),
        ("0,-1,2", 1),  # what follows the first that is no device is hidden
        ("0,9,1", 1),
        ("9", 0),
        ("NoDevFiles", 0),
        ("0,,1", 1),
        ("1,1", 0),  # twice the same hides all
        ("GPU-5ebe9a2f,GPU-1b2c", 2),
        ("MIG-GPU-5ebe9a2f/1/0", 1),
        ("0,1,2,3", 4),
    ],
)
def test_cuda_visible_devices(visible: str | None, expected: int) -> None:
    """CUDA_VISIBLE_DEVICES is read as CUDA reads it."""
    assert cuda_count({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}) == expected


@given(st.text(st.sampled_from("0123,-GPU \u0663x")))
def test_never_more_than_there_are(visible: str) -> None:
    """Whatever the variable says, no more devices are counted than the driver has."""
    assert 0 <= devices._visible_count(visible, 4) <= 4


def test_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no NVIDIA library, there are no devices, whatever the variable says."""

    def no_library(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", no_library)
    assert cuda_count({}) == 0
    assert cuda_count({"CUDA_VISIBLE_DEVICES": "0,1"}) == 0
