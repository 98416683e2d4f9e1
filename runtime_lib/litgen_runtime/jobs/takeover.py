"""Making a job of a client's call that is under way, without doing its work twice.

What a worker has goes on: the job is written as one that runs, and what comes of the call is what comes of the job.
What waits is taken back, and waits as a job. There is a job from the moment that it is on the disk; where that cannot
be, the call goes on as it was.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from litgen_runtime.dispatcher.handover import Handover
from litgen_runtime.dispatcher.ticket import NotRun, Ticket
from litgen_runtime.errors import RequestError
from litgen_runtime.jobs.engine import Engine
from litgen_runtime.jobs.intake import Underway
from litgen_runtime.jobs.ledger import Ledger
from litgen_runtime.jobs.record import Job
from litgen_runtime.jobs.said import MAX_LINES
from litgen_runtime.jobs.wish import Wish


class Calls(Protocol):
    """The endpoint's dispatcher, as far as clients' calls go."""

    handover: Handover

    def abandon(self, ticket: Ticket, error: Exception) -> None:
        """Nobody waits for a call any more."""


class Heard:
    """What the code of a call says before it is a job, as far as it is still to be told then."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._progress: bytes | None = None

    def hear(self, text: bytes) -> None:
        """Take what a worker sends."""
        if "progress" in json.loads(text):
            self._progress = text
        elif len(self._lines) < MAX_LINES:
            self._lines.append(text)

    def __iter__(self) -> Iterator[bytes]:
        yield from self._lines
        if self._progress is not None:
            yield self._progress


class CallUnderWay:
    """A call that may become a job.

    Args:
        calls: who has it.
        ticket: the call.
        wish: what the job would be.
        heard: what its code has said so far.
        release: lets go of the body's file, if it stands in one.
    """

    def __init__(
        self, calls: Calls, ticket: Ticket, wish: Wish, heard: Iterable[bytes], release: Callable[[], None]
    ) -> None:
        self._calls = calls
        self._ticket = ticket
        self._wish = wish
        self._heard = heard
        self._release = release

    async def become_job(self, ledger: Ledger, engine: Engine) -> tuple[Job, bool] | None:
        """Return the job, and whether it is one that the same key has made before; None where it cannot be one.

        The body's file, and the call, are the job's from then on.
        """
        now, ticket = time.monotonic(), self._ticket
        waits = self._calls.handover.take(ticket)
        ran_s = None if waits else now - (ticket.started or now)
        try:
            job, replayed = await ledger.submit(
                self._wish, Underway(now - ticket.arrived, ran_s, lambda job: self._go_on(job, engine))
            )
        except RequestError:
            if waits:
                self._calls.handover.give_back(ticket)
            return None
        if waits:
            ticket.settle(NotRun())
        elif replayed:
            self._calls.abandon(ticket, NotRun())
        if waits or replayed:
            self._release()
        return job, replayed

    def _go_on(self, job: Job, engine: Engine) -> None:
        ticket = self._ticket
        ticket.adopt()
        engine.follow(job, ticket, self._heard)
        follows = ticket.on_done
        if not ticket.is_open or follows is None:
            self._release()
            return

        def done() -> None:
            follows()
            self._release()

        ticket.on_done = done
