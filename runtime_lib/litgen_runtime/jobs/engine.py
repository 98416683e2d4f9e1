"""Runs one endpoint's jobs: claims as many as workers have room for, behind all clients that wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from litgen_runtime.dispatcher.ticket import NotRun, Ticket
from litgen_runtime.errors import RequestError, StorageFull
from litgen_runtime.jobs.claims import Claim, Settlement
from litgen_runtime.jobs.ledger import Ledger
from litgen_runtime.jobs.machine import Failed, GivenBack, Succeeded
from litgen_runtime.jobs.record import Job
from litgen_runtime.jobs.said import Said

log = logging.getLogger(__name__)

_AGAIN_S = 1.0
_NOTE_S = 0.5
_FINAL = frozenset({"kills-workers", "quarantined", "run-too-long", "invalid-result"})  # no attempt would fare better


class Workers(Protocol):
    """The endpoint's dispatcher, as far as jobs go."""

    on_room: Callable[[], None] | None

    @property
    def room(self) -> int:
        """How many patient requests may be sent."""

    def run_behind(self, bodies: Sequence[bytes]) -> list[Ticket]:
        """Send them."""

    def stop(self, ticket: Ticket) -> None:
        """Have one end."""


class Engine:
    """One endpoint's.

    Args:
        endpoint: its name.
        workers: who runs them.
        ledger: whose jobs they are.
        result_type: the media type of results.
        repeatable: whether what has begun may begin again.
        running: told 1 for each job that begins to run here, and -1 when its end is on the disk.
    """

    def __init__(
        self,
        endpoint: str,
        workers: Workers,
        ledger: Ledger,
        result_type: str,
        *,
        repeatable: bool,
        running: Callable[[int], None],
    ) -> None:
        self._endpoint = endpoint
        self._workers = workers
        self._ledger = ledger
        self._result_type = result_type
        self._repeatable = repeatable
        self._count = running
        self._running: dict[str, Ticket] = {}
        self._said: dict[str, Said] = {}  # of those that run
        self._has_news = asyncio.Event()
        self._unwanted: set[str] = set()  # jobs whose end was wished while they may have been on their way here
        self._settlements: list[Settlement] = []
        self._wake = asyncio.Event()
        self._has_ended = asyncio.Event()
        self._stopped = False
        workers.on_room = self._wake.set

    @property
    def running(self) -> int:
        """How many jobs run."""
        return len(self._running)

    def wake(self) -> None:
        """Look whether there is something to run."""
        self._wake.set()

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopped = True

    def stop_job(self, job: Job) -> None:
        """Have a job end that runs here, or is about to."""
        ticket = self._running.get(job.id)
        if ticket is not None:
            self._workers.stop(ticket)
        else:
            self._unwanted.add(job.id)

    async def claim_on(self) -> None:
        """Claim and run, again and again."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while not self._stopped and self._ledger.backlogs[self._endpoint].jobs and (room := self._workers.room):
                try:
                    if not await self._claim(room):
                        break
                except StorageFull:
                    await asyncio.sleep(_AGAIN_S)
            self._unwanted.clear()

    async def _claim(self, room: int) -> bool:
        """Begin as much as there is room for; False if nothing is there to begin."""
        self._count(1)  # a drain waits for what is on its way here: nobody else would give it back
        try:
            claims = await self._ledger.claim(self._endpoint, room)
            self._begin(claims)
        finally:
            self._count(-1)
        return bool(claims)

    async def settle_on(self) -> None:
        """Write what came of it, again and again; what cannot be written is kept until it can."""
        while True:
            await self._has_ended.wait()
            self._has_ended.clear()
            if not await self.settle():
                self._has_ended.set()
                await asyncio.sleep(_AGAIN_S)

    async def settle(self) -> bool:
        """Write what has come of it so far; False if it cannot be written now."""
        settlements, self._settlements = self._settlements, []
        try:
            await self._ledger.settle(settlements)
        except StorageFull:
            self._settlements = settlements + self._settlements
            return False
        self._count(-len(settlements))
        return True

    async def note_on(self) -> None:
        """Write what running jobs say, again and again, each at most about twice a second."""
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            news = [new for said in self._said.values() if (new := said.taken()) is not None]
            try:
                if news:
                    await self._ledger.note(news)
            except StorageFull:
                self._keep(news)
            await asyncio.sleep(_NOTE_S)

    def _keep(self, news: Sequence[Said]) -> None:
        for new in news:
            said = self._said.get(new.job.id)
            if said is not None and said.job is new.job:
                said.give_back(new)
                self._has_news.set()

    def _hear(self, said: Said, text: bytes) -> None:
        said.hear(text)
        self._has_news.set()

    def _begin(self, claims: Sequence[Claim]) -> None:
        self._count(len(claims))
        for claim in claims:
            if claim.trouble is not None:
                log.error("%s: job %s: %s", self._endpoint, claim.job.id, claim.trouble.log)
                self._settlements.append(Settlement(claim.job, Failed(claim.trouble.to_json(), again=True)))
                self._has_ended.set()
        readable = [claim for claim in claims if claim.trouble is None]
        tickets = self._workers.run_behind([claim.body for claim in readable])
        for claim, ticket in zip(readable, tickets, strict=True):
            self._running[claim.job.id] = ticket
            if ticket.is_open:
                ticket.on_done = partial(self._ended, claim.job, ticket)
                said = self._said[claim.job.id] = Said(claim.job)
                ticket.on_note = partial(self._hear, said)
            else:
                self._ended(claim.job, ticket)
            if claim.job.id in self._unwanted:
                self._workers.stop(ticket)

    def _ended(self, job: Job, ticket: Ticket) -> None:
        self._running.pop(job.id, None)
        said = self._said.pop(job.id, None)
        settlement = self._settlement(job, ticket)
        self._settlements.append(settlement if said is None else settlement._replace(said=said.taken()))
        self._has_ended.set()

    def _settlement(self, job: Job, ticket: Ticket) -> Settlement:
        outcome = ticket.outcome
        if not isinstance(outcome, Exception) and outcome is not None:
            if outcome.status == 200:
                return Settlement(job, Succeeded(), (self._result_type, outcome.body))
            outcome = RequestError.from_json(outcome.body)
        stopped = isinstance(outcome, NotRun) or (isinstance(outcome, RequestError) and outcome.code == "draining")
        if stopped and (ticket.started is None or self._repeatable):
            return Settlement(job, GivenBack())
        error = outcome if isinstance(outcome, RequestError) else RequestError("The service ended while this job ran.")
        if error.log:
            log.error("%s: job %s: %s", self._endpoint, job.id, error.log)
        again = error.status >= 500 and error.code not in _FINAL
        return Settlement(job, Failed(error.to_json(), again=again))
