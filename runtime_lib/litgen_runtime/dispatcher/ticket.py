"""One request on its way through the service, from the door to its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from litgen_runtime.dispatcher.feed import Feed
from litgen_runtime.transport.frames import Result

if TYPE_CHECKING:
    from litgen_runtime.dispatcher.line import WorkerLine


class NotRun(Exception):
    """The outcome of a patient request that has not run to an end; it may be sent again."""


@dataclass(eq=False, slots=True)
class Ticket:
    """What the dispatcher knows of a request.

    ``outcome`` is set exactly once: the worker's result, or the error that the client is told. Then ``on_done`` is
    called, if somebody asked for it. Times are CLOCK_MONOTONIC seconds.
    """

    id: int
    body: bytes
    arrived: float
    deadline: float  # the client is free then
    start_by: float  # after this it is not worth running
    size: int = 0  # of the client's body, in bytes
    feed: Feed | None = None  # of a stream
    outcome: Result | Exception | None = None
    on_done: Callable[[], None] | None = field(default=None, repr=False)
    on_note: Callable[[bytes], None] | None = field(default=None, repr=False)  # told what its code says while it runs
    attempt: int = 1
    line: WorkerLine | None = None  # the worker that holds it
    sent: float | None = None
    started: float | None = None
    recalled: bool = False  # its worker has been asked to give it back
    told: bool = False  # to stop, since its run takes too long
    patient: bool = False  # no client waits: others go first
    goes_back: bool = False  # what does not run goes back to where it came from
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    @property
    def is_open(self) -> bool:
        """Whether somebody still waits for the outcome."""
        return self.outcome is None

    def adopt(self) -> None:
        """Let it be a job's: its client has left, with the job's name, and it has all the time that it needs."""
        self.goes_back = True
        self.deadline = self.start_by = inf
        if self.timer is not None:
            self.timer.cancel()

    def settle(self, outcome: Result | Exception) -> bool:
        """Give the outcome; False when there is one already, such as that the client is gone."""
        if self.timer is not None:
            self.timer.cancel()
        if self.outcome is not None:
            return False
        self.outcome = outcome
        if self.on_done is not None:
            self.on_done()
        return True

    def result(self) -> Result:
        """Return the worker's result, or raise the error, once there is an outcome."""
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if self.outcome is None:
            raise RuntimeError(f"request {self.id} has no outcome yet")
        return self.outcome

    async def wait(self) -> Result:
        """Wait for the outcome; return the worker's result, or raise the error."""
        if self.outcome is None:
            done = asyncio.get_running_loop().create_future()
            self.on_done = lambda: None if done.done() else done.set_result(None)
            await done
        return self.result()
