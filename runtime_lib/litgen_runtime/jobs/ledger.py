"""The verbs of jobs: each is one transaction, and is true once its await returns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from math import inf
from secrets import token_hex
from typing import BinaryIO, TypeVar

from litgen_runtime.errors import (
    JobFinished,
    JobGone,
    JobUnfinished,
    QueueFull,
    RateLimited,
    StorageFull,
    WorkerDied,
)
from litgen_runtime.jobs import due, machine
from litgen_runtime.jobs.blobs import Blobs
from litgen_runtime.jobs.bounds import Backlogs
from litgen_runtime.jobs.claims import Claim, Settlement
from litgen_runtime.jobs.delivery import Callback
from litgen_runtime.jobs.intake import Underway, earlier, expect_open, key_of, new_job
from litgen_runtime.jobs.machine import Rules
from litgen_runtime.jobs.payloads import Payloads, storage_full
from litgen_runtime.jobs.rates import Rates
from litgen_runtime.jobs.record import Job, Status, problem_of
from litgen_runtime.jobs.said import Said
from litgen_runtime.jobs.store import Announce, Backlog, Event, Key, Payload, Query, Rows, Store, StoreFailed, owned
from litgen_runtime.jobs.wish import Wish

R = TypeVar("R")
_OPENING_S = 5.0
_RETIRED = Rules(1, repeatable=False, keep_s=86_400.0, remember_s=604_800.0)  # of an endpoint that is no more
_LOST = WorkerDied("The service ended while this job ran.")


class Ledger:
    """The jobs of one service.

    Args:
        store: where they are kept.
        blobs: where large bodies are kept.
        rules: what each endpoint's jobs are granted.
        backlogs: what waits for each.
        clock: the time.
        rates: how fast they may come; as they like unless given.
    """

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        rules: Mapping[str, Rules],
        backlogs: Backlogs,
        clock: Callable[[], float],
        rates: Rates | None = None,
    ) -> None:
        self._store = store
        self._payloads = Payloads(blobs)
        self._rules = rules
        self.backlogs = backlogs
        self._clock = clock
        self._rates = rates or Rates({})
        self.on_change: Callable[[Job], None] = lambda job: None  # told of each job that stands elsewhere now
        self.announce: Announce = lambda rows, job, now, result: None  # in the transaction that moves a job
        self.on_said: Callable[[str], None] = lambda job_id: None  # told of each that has said something
        self.write_failures = 0
        self._opened = asyncio.Event()
        self._submitting: set[asyncio.Task[tuple[Job, bool]]] = set()

    async def recover(self) -> None:
        """Take up what an earlier process left: what ran when it ended waits again, or has failed."""

        def work(rows: Rows) -> tuple[list[Job], dict[str, Backlog], set[str]]:
            now, changed = self._clock(), []
            rows.bring_forward(now + machine.MAX_BACKOFF_S, now)
            for job in rows.running():
                new = machine.recovered(job, _LOST.to_json(), self._rules_of(job), now)
                if new is not None:
                    changed.append(self._note(rows, new, now))
            return changed, rows.backlog(), rows.files()

        changed, backlog, files = await self._write(work)
        self.backlogs.found(backlog)  # before anything else happens to what was counted
        await asyncio.to_thread(self._payloads.blobs.drop_all_but, files)  # before there can be others
        self._opened.set()
        for job in changed:
            self.on_change(job)

    async def submit(self, wish: Wish, underway: Underway | None = None) -> tuple[Job, bool]:
        """Accept a job; True with one that its key has made before.

        Who asked may leave meanwhile: what has been begun comes to its end.

        Args:
            wish: what is asked for.
            underway: a call that becomes a job; None for a wish that has not been taken up in any way.

        Raises:
            IdempotencyKeyReused: the key stands for another wish.
            QueueFull: as much waits as may.
            RateLimited: jobs come faster than they may.
            StorageFull: nothing can be written now.
        """
        task = asyncio.get_running_loop().create_task(self._submit(wish, underway))
        self._submitting.add(task)
        task.add_done_callback(self._submitting.discard)
        return await asyncio.shield(task)

    async def submitted(self) -> None:
        """Wait for what is being accepted, whoever has asked for it."""
        await asyncio.gather(*self._submitting, return_exceptions=True)

    async def _submit(self, wish: Wish, underway: Underway | None) -> tuple[Job, bool]:
        if not self._opened.is_set():
            await expect_open(self._opened, self._store, 0.0 if underway is not None else _OPENING_S)
        key = await key_of(wish)
        now = self._clock()
        job = new_job(wish, now, underway)
        known = await self._bounded(wish, key, now, waits=job.status is Status.QUEUED)
        if known is not None:
            return known, True
        accepted, replayed = await self._insert(job, wish, key, now)
        if not replayed:
            if underway is not None and job.status is Status.RUNNING:
                underway.adopt(accepted)
            self.on_change(job)
        return accepted, replayed

    async def _bounded(self, wish: Wish, key: Key | None, now: float, *, waits: bool) -> Job | None:
        """Count one more; where there may not be one, return the job that its key has made before, if there is one."""
        try:
            if waits:
                self.backlogs.expect_room(wish.endpoint, wish.size, now)
            self._rates.take(wish.endpoint, wish.principal, now)
        except (QueueFull, RateLimited):
            known = await self._found(key)  # to ask again after what was accepted is always possible
            if known is None:
                raise
            return known
        return None

    async def _insert(self, job: Job, wish: Wish, key: Key | None, now: float) -> tuple[Job, bool]:
        waits = job.status is Status.QUEUED

        def work(rows: Rows) -> tuple[Job, bool]:
            found = earlier(rows, key)
            if found is not None:
                return found, True
            rows.insert(job, body, key, wish.callback)
            return (job if waits else self._note(rows, job, now)), False

        if waits:
            self.backlogs.add(job)
        body, accepted, replayed = Payload("", 0, None), job, True
        try:
            body = await self._payloads.keep_body(job.id, wish.content_type, wish.body)
            accepted, replayed = await self._write(work)
        finally:
            if replayed:
                self._rates.give_back(wish.endpoint, wish.principal)
                self._payloads.blobs.drop([body.file] if body.file is not None else [])
            if replayed and waits:
                self.backlogs.remove(job)
        return accepted, replayed

    async def find(self, wish: Wish) -> Job | None:
        """Return the job that a wish's key has made before; None where there is none, or no key.

        Raises:
            IdempotencyKeyReused: the key stands for another wish.
            StorageFull: it cannot be read now.
        """
        return await self._found(await key_of(wish))

    async def _found(self, key: Key | None) -> Job | None:
        return None if key is None else await self._read(lambda rows: earlier(rows, key))

    async def claim(self, endpoint: str, limit: int) -> Sequence[Claim]:
        """Begin to run up to so many jobs; what stands before them and is past its time ends.

        Raises:
            StorageFull: nothing can be written now.
        """
        now = self._clock()

        def work(rows: Rows) -> due.Begun:
            return due.begin(rows, endpoint, limit, now, self._rules_of, self._note)

        taken, over = await self._write(work) if self._opened.is_set() else due.Begun([], [])
        while over and not taken:
            self._wait_no_more(over)
            taken, over = await self._write(work)
        self._wait_no_more([*(job for job, _ in taken), *over])
        return [Claim(job, await self._payloads.body_or_error(job.id, payload)) for job, payload in taken]

    def _wait_no_more(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self.backlogs.remove(job)
            self.on_change(job)

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Say what came of claims; what is not the latest claim of a running job is not heard.

        Raises:
            StorageFull: nothing can be written now; say it again.
        """
        now = self._clock()
        payloads: dict[str, Payload] = {}

        def work(rows: Rows) -> list[Job]:
            changed = []
            for job, outcome, _, said in settlements:
                stored = rows.get(job.id)
                if stored is None:
                    continue
                stored = said.write(rows, stored, now) if said is not None else stored
                new = machine.settled(stored, job.fence, outcome, self._rules_of(job), now)
                if new is not None:
                    result = payloads.get(job.id) if new.status is Status.SUCCEEDED else None
                    changed.append(self._note(rows, new, now, result))
            return changed

        try:
            for job, _, result, _ in settlements:
                if result is not None:
                    name = f"{job.id}.{job.fence}.{token_hex(4)}.result"  # its own: the same may be said twice
                    payloads[job.id] = await self._payloads.keep(name, *result)
            changed = await self._write(work)
        except StorageFull:  # what is left of this try would be in the way of the next one
            await self._payloads.drop([payload.file for payload in payloads.values() if payload.file is not None])
            raise
        written = {job.id for job in changed if job.status is Status.SUCCEEDED}
        unheard = [payload for job_id, payload in payloads.items() if job_id not in written]
        await self._payloads.drop([payload.file for payload in unheard if payload.file is not None])
        for job in changed:
            if job.status is Status.QUEUED:
                self.backlogs.add(job)
            self.on_change(job)

    async def note(self, news: Sequence[Said]) -> None:
        """Write what running jobs say.

        Raises:
            StorageFull: nothing can be written now; say it again.
        """
        now = self._clock()

        def work(rows: Rows) -> None:
            for said in news:
                stored = rows.get(said.job.id)
                if stored is not None:
                    said.write(rows, stored, now)

        await self._write(work)
        for said in news:
            self.on_said(said.job.id)

    async def cancel(self, job_id: str, principal: str) -> Job:
        """Wish a job's end: one that waits has ended, one that runs is to be stopped.

        Raises:
            NotFound: there is no such job of this principal.
            JobFinished: it has ended.
        """
        now = self._clock()

        def work(rows: Rows) -> tuple[Job, bool]:
            job = owned(rows, job_id, principal)
            new = machine.cancelled(job, self._rules_of(job), now)
            if new is None:
                raise JobFinished(f"The job has {job.status}; only one that waits or runs can be canceled.")
            if new == job:  # it has been told before
                return job, False
            return self._note(rows, new, now), job.status is Status.QUEUED

        job, waited = await self._write(work)
        if waited:
            self.backlogs.remove(job)
        self.on_change(job)
        return job

    async def delete(self, job_id: str, principal: str) -> None:
        """Forget a job that has ended.

        Raises:
            NotFound: there is no such job of this principal.
            JobUnfinished: it has not ended yet.
        """

        def work(rows: Rows) -> Sequence[str]:
            job = owned(rows, job_id, principal)
            if not job.is_terminal:
                raise JobUnfinished(f"The job is {job.status}; cancel it before it is deleted.")
            names = rows.strip(job_id)
            rows.delete(job_id)
            return names

        await self._payloads.drop(await self._write(work))

    async def get(self, job_id: str, principal: str) -> Job:
        """Return a job.

        Raises:
            NotFound: there is no such job of this principal.
            JobGone: there was one.
        """
        job = await self._read(lambda rows: owned(rows, job_id, principal))
        if job.is_gone:
            raise JobGone(f"The job has {job.status}; it was kept until its time was over.")
        return job

    async def result(self, job: Job, most: float = inf) -> tuple[str, bytes]:
        """Return the type and the bytes of a job's result; none where there are more than ``most``.

        Raises:
            JobGone: they are not kept any longer.
        """
        payload = await self._read(lambda rows: rows.result(job.id))
        if payload is None:
            raise JobGone("The job's result is not kept any longer.")
        return payload.content_type, await self._payloads.data(payload) if payload.size <= most else b""

    async def result_file(self, job: Job) -> tuple[str, int, BinaryIO] | None:
        """Return the type and the size of a job's result, and its file, open; None where it is in none."""
        payload = await self._read(lambda rows: rows.result(job.id))
        if payload is None or payload.file is None:
            return None
        return payload.content_type, payload.size, await self._payloads.opened(payload.file)

    async def asked(self, job: Job) -> tuple[str, bytes] | None:
        """Return the type and the bytes of what a job was asked with; None where they are not kept any longer."""
        payload = await self._read(lambda rows: rows.body(job.id))
        return None if payload is None else (payload.content_type, await self._payloads.body(job.id, payload))

    async def callback(self, job: Job) -> Callback | None:
        """Return who wants to be told of a job."""
        return await self._read(lambda rows: rows.callback(job.id))

    async def page(self, query: Query) -> Sequence[Job]:
        """Return jobs, the latest first."""
        return await self._read(lambda rows: rows.page(query))

    async def events(self, job_id: str, after: int, limit: int = 100) -> Sequence[Event]:
        """Return what has happened to a job since."""
        return await self._read(lambda rows: rows.events(job_id, after, limit))

    async def sweep(self) -> bool:
        """End what waits past its time, wish the end of what runs past it, delete what is old; a little at a time.

        Returns whether there is more to do.
        """
        now = self._clock()

        def work(rows: Rows) -> tuple[due.Swept, dict[str, float | None]]:
            swept = due.sweep(rows, now, self._rules_of, self._note)
            return swept, {name: rows.oldest(name) for name in self._rules}

        (over, names, is_more), oldest = await self._write(work)
        for name, accepted_at in oldest.items():
            self.backlogs.note_oldest(name, accepted_at)
        for job in over:
            if job.is_terminal:
                self.backlogs.remove(job)
            self.on_change(job)
        await self._payloads.drop(names)
        return is_more

    def _note(self, rows: Rows, job: Job, now: float, result: Payload | None = None) -> Job:
        """Write what a job has become, that it has, and whom to tell."""
        rows.put(job, result)
        wished = job.status is Status.RUNNING and job.cancel_requested_at == now
        told = {"status": job.status, "attempt": job.attempt, "error": problem_of(job.error) if job.error else None}
        rows.add_event(job.id, now, "cancel-requested" if wished else str(job.status), json.dumps(told).encode())
        if not wished:
            self.announce(rows, job, now, result)
        return job

    def _rules_of(self, job: Job) -> Rules:
        return self._rules.get(job.endpoint, _RETIRED)

    async def _write(self, work: Callable[[Rows], R]) -> R:
        try:
            return await asyncio.shield(asyncio.wrap_future(self._store.write(work)))
        except StoreFailed as error:
            self.write_failures += 1
            raise storage_full(error) from None

    async def _read(self, work: Callable[[Rows], R]) -> R:
        try:
            return await asyncio.wrap_future(self._store.read(work))
        except StoreFailed as error:
            raise storage_full(error) from None
