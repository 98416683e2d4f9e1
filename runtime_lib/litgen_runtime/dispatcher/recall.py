"""Taking back what waits behind a long run: while another worker has nothing to do; jobs in any case.

A worker gets what it runs next ahead of time, when nobody can know how long its present run will be. A job that it
holds counts as begun.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping

from litgen_runtime.dispatcher.assign import SHORT_S, Load
from litgen_runtime.dispatcher.line import WorkerLine
from litgen_runtime.dispatcher.ticket import Ticket
from litgen_runtime.dispatcher.waiting import Waiting

LONG_S = 0.02  # how long a run is let go on, and how often is looked; far more than it takes to give back


class Recalls:
    """One endpoint's.

    Args:
        lines: its workers.
        waiting: what no worker holds: whoever has nothing to do takes that first.
    """

    def __init__(self, lines: Mapping[Load, WorkerLine], waiting: Waiting) -> None:
        self._lines = lines
        self._waiting = waiting
        self._loop = asyncio.get_running_loop()
        self._due = False

    def soon(self) -> None:
        """Look in a moment whether jobs wait behind a long run, or others while some worker has nothing to do."""
        lines = self._lines.values()
        if not self._due and ((len(lines) > 1 and uneven(lines)) or any(map(_jobs_ahead, lines))):
            self._due = True
            self._loop.call_later(LONG_S, self._look)

    def _look(self) -> None:
        self._due = False
        now = time.monotonic()
        for line in self._lines.values():
            ran_s = line.ran_for(now)
            if line.load.run_s <= SHORT_S < ran_s and (jobs := _jobs_ahead(line)):
                line.load.run_s = ran_s  # so that none is sent ahead in their place
                line.recall(jobs)
        if not self._waiting.count:
            for line, tickets in to_take_back(self._lines.values(), now):
                line.recall(tickets)
        self.soon()


def uneven(lines: Collection[WorkerLine]) -> bool:
    """Whether a worker has nothing to do and another one has more than it runs."""
    return any(_is_idle(line) for line in lines) and any(line.load.held > 1 and line.ahead() for line in lines)


def to_take_back(lines: Collection[WorkerLine], now: float) -> list[tuple[WorkerLine, list[Ticket]]]:
    """Return which worker is to give back what; nothing if nobody has time for it."""
    if not any(_is_idle(line) for line in lines):
        return []
    found = [(line, line.ahead()) for line in lines if line.ran_for(now) >= LONG_S]
    return [(line, tickets) for line, tickets in found if tickets]


def _jobs_ahead(line: WorkerLine) -> list[Ticket]:
    return [ticket for ticket in line.ahead() if ticket.patient] if line.load.patient else []


def _is_idle(line: WorkerLine) -> bool:
    return not (line.load.held or line.load.reserved or line.load.retired)
