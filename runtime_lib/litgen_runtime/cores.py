"""How many cores this process may use: its affinity and its control groups' quotas, not what the machine has."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """Return the whole cores that this process may use, at least 1."""
    present = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min([float(present), *_quotas(_GROUPS, _OWN_GROUPS)])))


def _quotas(root: Path, own: Path) -> Iterator[float]:
    """Yield the CPU quota of each control group that this process is in, in cores.

    Source: cgroups(7); the kernel's cgroup-v2.rst (cpu.max) and sched-bwc.rst (cpu.cfs_quota_us). A group's limit
    holds for all below it, so every ancestor counts.
    """
    try:
        lines = own.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            folder, read = root, _unified
        elif "cpu" in controllers.split(","):
            folder, read = root / "cpu", _legacy
        else:
            continue
        group = folder / path.lstrip("/")
        for level in (group, *group.parents):
            with contextlib.suppress(OSError, ValueError, ZeroDivisionError):  # no such file: no limit here
                quota = read(level)
                if quota > 0:
                    yield quota
            if level == folder:
                break


def _unified(group: Path) -> float:
    quota, period = (group / "cpu.max").read_text().split()
    return 0.0 if quota == "max" else int(quota) / int(period)


def _legacy(group: Path) -> float:
    quota_us = int((group / "cpu.cfs_quota_us").read_text())
    return quota_us / int((group / "cpu.cfs_period_us").read_text())
