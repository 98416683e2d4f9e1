"""One request on its way through the service, from the door to its answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from litgen_runtime.transport.frames import Result


@dataclass(eq=False, slots=True)
class Ticket:
    """What the dispatcher knows of a request.

    ``answer`` is set exactly once: with the worker's result, or with the error that the client is told.
    Times are CLOCK_MONOTONIC seconds.
    """

    id: int
    body: bytes
    arrived: float
    deadline: float
    answer: asyncio.Future[Result]
    sent: float | None = None
    started: bool = False
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    def settle(self, result: Result) -> bool:
        """Give the answer; False when the client is no longer there to take it."""
        if self.timer is not None:
            self.timer.cancel()
        if self.answer.done():
            return False
        self.answer.set_result(result)
        return True

    def refuse(self, error: Exception) -> None:
        """Give an error as the answer, unless there is one."""
        if self.timer is not None:
            self.timer.cancel()
        if not self.answer.done():
            self.answer.set_exception(error)
