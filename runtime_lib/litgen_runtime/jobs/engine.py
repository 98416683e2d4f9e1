"""Runs one endpoint's jobs: claims as many as workers have room for, behind all clients that wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import inf
from typing import Protocol

from litgen_runtime.dispatcher.ticket import Ticket
from litgen_runtime.errors import RequestError, StorageFull, WorkerDied
from litgen_runtime.jobs.claims import Claim, Settlement
from litgen_runtime.jobs.ledger import Ledger
from litgen_runtime.jobs.machine import Failed, GivenBack, Succeeded
from litgen_runtime.jobs.record import Job
from litgen_runtime.jobs.said import Said

log = logging.getLogger(__name__)

_AGAIN_S = 1.0
_NOTE_S = 0.5
_FINAL = frozenset(  # no attempt would fare better
    {"kills-workers", "quarantined", "run-too-long", "invalid-result", "storage-damaged"}
)


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
        at_once: how many run at the same time at most.
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
        at_once: float = inf,
    ) -> None:
        self._endpoint = endpoint
        self._workers = workers
        self._ledger = ledger
        self._result_type = result_type
        self._repeatable = repeatable
        self._count = running
        self._at_once = at_once
        self._running: dict[str, Ticket] = {}
        self._said: dict[str, Said] = {}  # of those that run
        self._has_news = asyncio.Event()
        self._unwanted: set[str] = set()  # whose end was wished on their way here or from here, until that is written
        self._settlements: list[Settlement] = []
        self._wake = asyncio.Event()
        self._has_ended = asyncio.Event()
        self._stopped = False
        self._given_back = 0  # since the stop
        self._may_be_due = True  # a job may have become due since the store was asked
        self._claiming, self._settling = asyncio.Lock(), asyncio.Lock()
        workers.on_room = self._on_room

    @property
    def running(self) -> int:
        """How many jobs run."""
        return len(self._running)

    @property
    def room(self) -> int:
        """How many jobs may begin to run."""
        return max(0, int(min(self._workers.room, self._at_once - self.running)))

    def wake(self) -> None:
        """Look whether there is something to run."""
        self._may_be_due = True
        self._wake.set()

    def _on_room(self) -> None:
        if self._may_be_due:  # else each answer to a client would have the store asked in vain
            self._wake.set()

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopped = True

    async def close(self) -> None:
        """Write what has come of what ran; what is being claimed at this moment is given back."""
        self._stopped = True
        async with self._claiming:
            pass
        await self.settle()
        if self._given_back:
            log.info("%s: jobs given back, to run after the next start: %d", self._endpoint, self._given_back)

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
            while not self._stopped and self._ledger.backlogs[self._endpoint].jobs and (room := self.room):
                self._may_be_due = False  # what comes from now on says so again
                try:
                    if not await self._claim(room):
                        break
                except StorageFull:
                    await asyncio.sleep(_AGAIN_S)
                self._may_be_due = True
            self._may_be_due = self._may_be_due and self._ledger.backlogs[self._endpoint].jobs > 0

    async def _claim(self, room: int) -> bool:
        """Begin to run so many jobs; False if none is due. What was under way at the stop has not begun."""
        async with self._claiming:
            self._count(1)  # a drain waits for what is on its way here
            try:
                claims = await self._ledger.claim(self._endpoint, room)
                if self._stopped:
                    self._give_back(claims)
                else:
                    self._begin(claims)
            finally:
                self._count(-1)
        return bool(claims)

    def _give_back(self, claims: Sequence[Claim]) -> None:
        self._count(len(claims))
        self._settlements += [Settlement(claim.job, GivenBack()) for claim in claims]
        self._has_ended.set()

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
        async with self._settling:
            settlements, self._settlements = self._settlements, []
            try:
                await self._ledger.settle(settlements)
            except StorageFull:
                self._settlements = settlements + self._settlements
                return False
        self._unwanted -= {settlement.job.id for settlement in settlements}
        if self._stopped:
            self._given_back += sum(isinstance(settlement.outcome, GivenBack) for settlement in settlements)
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
        unread = [Settlement(job, self._failure(job, body)) for job, body in claims if isinstance(body, RequestError)]
        if unread:
            self._count(len(unread))
            self._settlements += unread
            self._has_ended.set()
        readable = [(job, body) for job, body in claims if isinstance(body, bytes)]
        tickets = self._workers.run_behind([body for _, body in readable])
        for (job, _), ticket in zip(readable, tickets, strict=True):
            self.follow(job, ticket)

    def follow(self, job: Job, ticket: Ticket, heard: Iterable[bytes] = ()) -> None:
        """See a job's attempt through to its end.

        Args:
            job: as it has been claimed.
            ticket: the attempt.
            heard: what its code has said so far.
        """
        self._count(1)
        self._running[job.id] = ticket
        said = self._said[job.id] = Said(job)
        for text in heard:
            self._hear(said, text)
        if ticket.is_open:
            ticket.on_done = partial(self._ended, job, ticket)
            ticket.on_note = partial(self._hear, said)
        else:
            self._ended(job, ticket)
        if job.id in self._unwanted:
            self._workers.stop(ticket)

    def _ended(self, job: Job, ticket: Ticket) -> None:
        self._running.pop(job.id, None)
        said = self._said.pop(job.id, None)
        settlement = self._settlement(job, ticket)
        self._settlements.append(settlement if said is None else settlement._replace(said=said.taken()))
        self._has_ended.set()
        if self._at_once < inf:  # else workers tell when there is room
            self._wake.set()

    def _settlement(self, job: Job, ticket: Ticket) -> Settlement:
        outcome = ticket.outcome
        if not isinstance(outcome, Exception) and outcome is not None:
            if outcome.status == 200:
                return Settlement(job, Succeeded(), (self._result_type, outcome.body))
            outcome = RequestError.from_json(outcome.body)
        if isinstance(outcome, RequestError) and outcome.code != "draining":
            return Settlement(job, self._failure(job, outcome))
        if ticket.started is None or self._repeatable:
            return Settlement(job, GivenBack())
        lost = WorkerDied("The service ended while this job ran.")
        if self._stopped:
            return Settlement(job, self._failure(job, lost))
        return Settlement(job, Failed(lost.to_json(), again=False))  # its end was wished: nothing to tell of

    def _failure(self, job: Job, error: RequestError) -> Failed:
        name = f"{job.id} of {job.principal}" if job.principal else job.id
        if error.log:
            log.error("%s: %s: %s", self._endpoint, name, error.log)
            error.log = None  # what is stored is not for the log alone
        elif error.status >= 500:
            log.warning("%s: %s: %s: %s", self._endpoint, name, error.code, error.detail)
        return Failed(error.to_json(), again=error.status >= 500 and error.code not in _FINAL)
