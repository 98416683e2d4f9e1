"""What becomes of an endpoint's requests when the drain time is over, and how its workers end.

::

    a call  ──cut──▶ answered ``draining``; its run is told to stop
    a job   ──cut──▶ its run is told to stop ──▶ a result: it counts
                │                             └▶ anything else, also the worker's end: ``NotRun``
                └─ no worker has it ──▶ ``NotRun``
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from litgen_runtime.dispatcher import refusals
from litgen_runtime.dispatcher.assign import Load
from litgen_runtime.dispatcher.line import WorkerLine
from litgen_runtime.dispatcher.ticket import NotRun
from litgen_runtime.dispatcher.waiting import Waiting


class Cut(NamedTuple):
    """How many calls were answered, and how many jobs are to stop."""

    calls: int
    jobs: int


class Drain:
    """One endpoint's.

    Args:
        waiting: what no worker holds.
        lines: the workers.
    """

    def __init__(self, waiting: Waiting, lines: Mapping[Load, WorkerLine]) -> None:
        self._waiting = waiting
        self._lines = lines

    @property
    def is_over(self) -> bool:
        """Whether what was open has been cut: nothing is sent any more, and only a result counts."""
        return self._waiting.is_closed

    def cut(self) -> Cut:
        """Answer clients, have all that runs stop, and refuse what comes."""
        waiting = self._waiting.close()
        held = [ticket for line in self._lines.values() for ticket in line.tickets.values()]
        jobs = sum(ticket.is_open for ticket in waiting + held if ticket.goes_back)
        calls = sum(ticket.settle(refusals.drain_over()) for ticket in waiting + held if not ticket.goes_back)
        for ticket in waiting:
            ticket.settle(NotRun())
        for line in self._lines.values():
            line.cancel(list(line.tickets.values()))
        return Cut(calls, jobs)

    def close(self) -> None:
        """Let each worker end once it has answered what it holds."""
        for line in list(self._lines.values()):
            line.retire()
