"""Whether workers get on with what they hold: the end of runs without an end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from litgen_runtime.dispatcher.assign import Load
from litgen_runtime.dispatcher.line import WorkerLine
from litgen_runtime.settings import EndpointSettings

_SWEEP_S = 0.05
_FROZEN_S = 1.0


class Watch:
    """Of one endpoint's workers: a run past its limit is told to stop; past the grace, its worker is killed.

    So is a worker that begins nothing of what it holds: it is stopped, or stuck between two runs.

    Args:
        settings: with the limits.
        lines: the workers.
        kill: ends a worker's process; told which and why.
    """

    def __init__(
        self, settings: EndpointSettings, lines: Mapping[Load, WorkerLine], kill: Callable[[WorkerLine, str], None]
    ) -> None:
        self._limit_s = settings.run_limit
        self._kill_s = self._limit_s + settings.kill_grace_s
        self._window_s = settings.batching.max_wait_s if settings.batching else 0.0
        self._lines = lines
        self._kill = kill
        self._loop = asyncio.get_running_loop()
        self._due = 0.0  # when the next look is; 0 for none

    def soon(self) -> None:
        """Look in a moment, and from then on for as long as a worker holds anything."""
        if not self._due and self._limit_s != float("inf"):
            self._due = time.monotonic() + _SWEEP_S
            self._loop.call_later(_SWEEP_S, self._look)

    def _look(self) -> None:
        now, due, self._due = time.monotonic(), self._due, 0.0
        if now - due < _FROZEN_S:  # or this process stood still, and what it knows of others is old
            for line in self._lines.values():
                self._look_at(line, now)
        if any(line.tickets for line in self._lines.values()):
            self.soon()

    def _look_at(self, line: WorkerLine, now: float) -> None:
        overdue = line.overdue(now, self._limit_s)
        late = [ticket for ticket in overdue if not ticket.told]
        for ticket in late:
            ticket.told = True
        if late:
            line.cancel(late)
        if line.doomed is not None:
            return
        if line.overdue(now, self._kill_s):
            line.doomed = frozenset(overdue)
            reason = f"a run took longer than run_limit_s ({self._limit_s:g} s) and kill_grace_s"
        elif line.deaf_for(now) > self._kill_s + self._window_s:
            line.doomed = frozenset()
            reason = f"it has begun nothing of what it holds for run_limit_s ({self._limit_s:g} s) and kill_grace_s"
        else:
            return
        line.load.retired = True
        self._kill(line, reason)
