"""One request on its way through the service, from the door to its answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from litgen_runtime.dispatcher.feed import Feed
from litgen_runtime.transport.frames import Result

if TYPE_CHECKING:
    from litgen_runtime.dispatcher.line import WorkerLine


@dataclass(eq=False, slots=True)
class Ticket:
    """What the dispatcher knows of a request.

    ``answer`` is set exactly once: with the worker's result, or with the error that the client is told.
    Times are CLOCK_MONOTONIC seconds.
    """

    id: int
    body: bytes
    arrived: float
    deadline: float  # the client is free then
    start_by: float  # after this it is not worth running
    answer: asyncio.Future[Result]
    feed: Feed | None = None  # of a stream
    attempt: int = 1
    line: WorkerLine | None = None  # the worker that holds it
    sent: float | None = None
    started: float | None = None
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    @property
    def is_open(self) -> bool:
        """Whether somebody still waits for the answer."""
        return not self.answer.done()

    def settle(self, result: Result) -> bool:
        """Give the answer; False when the client is no longer there to take it."""
        if self.timer is not None:
            self.timer.cancel()
        if self.answer.done():
            return False
        self.answer.set_result(result)
        self._end_feed()
        return True

    def refuse(self, error: Exception) -> bool:
        """Give an error as the answer; False when there is one already."""
        if self.timer is not None:
            self.timer.cancel()
        if self.answer.done():
            return False
        self.answer.set_exception(error)
        self._end_feed()
        return True

    def _end_feed(self) -> None:
        if self.feed is not None:
            self.feed.wake()
