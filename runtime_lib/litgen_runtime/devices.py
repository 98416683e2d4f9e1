"""Which devices there are, found without torch and without touching a GPU's memory."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping

from litgen_runtime.errors import SettingsError


def resolve_devices(choice: str, key: str, cuda_count: int) -> list[str]:
    """Return the devices that a choice means.

    Args:
        choice: ``"auto"``, ``"cpu"``, ``"mps"``, ``"cuda"`` or ``"cuda:0,2"``.
        key: the key that says it, for the message.
        cuda_count: how many CUDA devices are visible.

    Raises:
        SettingsError: a device is asked for that is not there.
    """
    if choice == "mps":
        if sys.platform != "darwin":
            raise SettingsError(f'{key} is "mps", Apple\'s GPU, which only macOS has. Use "auto", "cpu" or "cuda".')
        return ["mps"]
    if choice == "cpu" or (choice == "auto" and not cuda_count):
        return ["cpu"]
    if choice in ("auto", "cuda"):
        indices = list(range(cuda_count))
    else:
        indices = [int(index) for index in choice.partition(":")[2].split(",")]
    if not indices or max(indices) >= cuda_count:
        raise SettingsError(
            f'{key} is "{choice}"; {cuda_count} CUDA devices are visible here. '
            'Use "cpu" or "auto", or fix the driver, CUDA_VISIBLE_DEVICES or the number.'
        )
    return [f"cuda:{index}" for index in indices]


def cuda_count(environ: Mapping[str, str]) -> int:
    """Return how many CUDA devices this process may use.

    Source: the NVIDIA Management Library; CUDA_VISIBLE_DEVICES as the CUDA C++ Programming Guide reads it.
    """
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    return _driver_count() if visible is None else _visible_count(visible, _driver_count())


def _visible_count(visible: str, present: int) -> int:
    """Count what comes before the first name that is no device; a device twice hides all."""
    seen: list[str] = []
    for name in map(str.strip, visible.split(",")):
        if not (name.isdecimal() and int(name) < present) and not name.startswith(("GPU-", "MIG-")):
            break
        if name in seen:
            return 0
        seen.append(name)
    return min(len(seen), present)


def _driver_count() -> int:
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return 0
    if nvml.nvmlInit_v2() != 0:
        return 0
    try:
        count = ctypes.c_uint(0)
        return count.value if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0 else 0
    finally:
        nvml.nvmlShutdown()
