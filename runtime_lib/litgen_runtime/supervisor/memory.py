"""How much memory the processes of each session hold, read from /proc."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from pathlib import Path

_PROC = Path("/proc")
_SESSION, _RESIDENT = 3, 21  # fields of stat after the name, counted from 0 (Source: proc_pid_stat(5), 6 and 24)


def resident_by_session(proc: Path = _PROC) -> Counter[int]:
    """Return the resident bytes of each session, by its leader's pid; 0 for one that is not there.

    Memory that several processes share counts in each of them, as ``ps`` counts.

    Args:
        proc: where the process file system is mounted.
    """
    page = os.sysconf("SC_PAGE_SIZE")
    resident: Counter[int] = Counter()
    for entry in os.listdir(proc):  # noqa: PTH208 - every second, over all processes: no objects for each
        if entry.isdecimal():
            with contextlib.suppress(OSError, IndexError, ValueError):  # it has ended in this moment
                fields = (proc / entry / "stat").read_bytes().rpartition(b")")[2].split()
                resident[int(fields[_SESSION])] += int(fields[_RESIDENT]) * page
    return resident
