"""Taking back what waits behind a long run while another worker has nothing to do: a pure core.

A worker gets what it runs next ahead of time, when nobody can know how long its present run will be.
"""

from __future__ import annotations

from collections.abc import Collection

from litgen_runtime.dispatcher.line import WorkerLine
from litgen_runtime.dispatcher.ticket import Ticket

LONG_S = 0.02  # how long a run is let go on, and how often is looked; far more than it takes to give back


def uneven(lines: Collection[WorkerLine]) -> bool:
    """Whether a worker has nothing to do and another one has more than it runs."""
    return any(_is_idle(line) for line in lines) and any(line.load.held > 1 and line.ahead() for line in lines)


def to_take_back(lines: Collection[WorkerLine], now: float) -> list[tuple[WorkerLine, list[Ticket]]]:
    """Return which worker is to give back what; nothing if nobody has time for it."""
    if not any(_is_idle(line) for line in lines):
        return []
    found = [(line, line.ahead()) for line in lines if line.ran_for(now) >= LONG_S]
    return [(line, tickets) for line, tickets in found if tickets]


def _is_idle(line: WorkerLine) -> bool:
    return not (line.load.held or line.load.reserved or line.load.retired)
