"""Signals and sessions: what every process of a service has in common."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


def let_the_supervisor_decide() -> None:
    """Take no notice of signals that end a service: they may go to a whole cgroup, and the supervisor drains.

    A handler that does nothing, since an ignored signal would stay ignored in every program that a model starts.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)


def kill_session(leader: int) -> None:
    """Kill the group that a session's leader began in and, where /proc tells, the session's other groups."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: a group that holds only what has ended
        os.killpg(leader, signal.SIGKILL)
    for pid in _members(leader):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _members(session: int) -> Iterator[int]:
    """Yield the processes of a session (Source: proc(5), the sixth field of stat), as far as they can be found."""
    entries: list[Path] = []
    with contextlib.suppress(OSError):  # no /proc, or no descriptor for it
        entries = [entry for entry in _PROC.iterdir() if entry.name.isdecimal()]
    for entry in entries:
        with contextlib.suppress(OSError, IndexError):
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                yield int(entry.name)
