"""The verbs of jobs: each is one transaction, and is true once its await returns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import TypeVar

from litgen_runtime.errors import (
    IdempotencyKeyReused,
    JobFinished,
    JobGone,
    JobUnfinished,
    RequestError,
    StorageFull,
    WorkerDied,
)
from litgen_runtime.jobs import machine
from litgen_runtime.jobs.blobs import Blobs
from litgen_runtime.jobs.bounds import Backlogs
from litgen_runtime.jobs.claims import Claim, Settlement
from litgen_runtime.jobs.machine import Failed, Rules
from litgen_runtime.jobs.payloads import Payloads, storage_full
from litgen_runtime.jobs.record import Job, Status, new_id
from litgen_runtime.jobs.said import Said
from litgen_runtime.jobs.store import Announce, Backlog, Event, Key, Payload, Query, Rows, Store, StoreFailed, owned
from litgen_runtime.jobs.wish import Wish

R = TypeVar("R")
_SWEEP = 200
_RETIRED = Rules(1, repeatable=False, keep_s=86_400.0, remember_s=604_800.0)  # of an endpoint that is no more
_REUSED = "This Idempotency-Key was used for another request. Use a new key for each request."
_LOST = WorkerDied("The service ended while this job ran.")


class Ledger:
    """The jobs of one service.

    Args:
        store: where they are kept.
        blobs: where large bodies are kept.
        rules: what each endpoint's jobs are granted.
        backlogs: what waits for each.
        clock: the time.
    """

    def __init__(
        self, store: Store, blobs: Blobs, rules: Mapping[str, Rules], backlogs: Backlogs, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._payloads = Payloads(blobs)
        self._rules = rules
        self.backlogs = backlogs
        self._clock = clock
        self.on_change: Callable[[Job], None] = lambda job: None  # told of each job that stands elsewhere now
        self.announce: Announce = lambda rows, job, now, result: None  # in the transaction that moves a job
        self.on_said: Callable[[str], None] = lambda job_id: None  # told of each that has said something
        self.write_failures = 0
        self._is_open = False
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
        await asyncio.to_thread(self._payloads.blobs.drop_all_but, files)  # before there can be others
        self.backlogs.found(backlog)
        self._is_open = True
        for job in changed:
            self.on_change(job)

    async def submit(self, wish: Wish) -> tuple[Job, bool]:
        """Accept a job; True with one that its key has made before.

        Who asked may leave meanwhile: what has been begun comes to its end.

        Raises:
            IdempotencyKeyReused: the key stands for another wish.
            QueueFull: as much waits as may.
            StorageFull: nothing can be written now.
        """
        task = asyncio.get_running_loop().create_task(self._submit(wish))
        self._submitting.add(task)
        task.add_done_callback(self._submitting.discard)
        return await asyncio.shield(task)

    async def _submit(self, wish: Wish) -> tuple[Job, bool]:
        if not self._is_open:
            raise storage_full(StoreFailed("what an earlier process left has not been taken up yet"))
        now, job_id = self._clock(), new_id()
        size = wish.size
        self.backlogs.expect_room(wish.endpoint, size, now)
        job = Job(
            job_id,
            wish.endpoint,
            wish.principal,
            Status.QUEUED,
            now,
            now,
            size,
            retries=wish.retries,
            start_by=_after(now, wish.start_within_s),
            cancel_at=_after(now, wish.cancel_after_s),
        )
        key = None if wish.key is None else Key(wish.principal, wish.endpoint, wish.key, wish.fingerprint)

        def work(rows: Rows) -> tuple[Job, bool]:
            found = rows.job_of(key) if key is not None else None
            if found is None:
                rows.insert(job, body, key, wish.callback)
                return job, False
            earlier = rows.get(found[0])
            if earlier is None or key is None or found[1] != key.fingerprint:
                raise IdempotencyKeyReused(_REUSED)
            return earlier, True

        self.backlogs.add(job)
        body, accepted, replayed = Payload("", 0, None), job, True
        try:
            body = await self._payloads.keep_body(job_id, wish.content_type, wish.body)
            accepted, replayed = await self._write(work)
        finally:
            if replayed:
                self.backlogs.remove(job)
                self._payloads.blobs.drop([body.file] if body.file is not None else [])
        if not replayed:
            self.on_change(job)
        return accepted, replayed

    async def claim(self, endpoint: str, limit: int) -> Sequence[Claim]:
        """Begin to run up to so many jobs.

        Raises:
            StorageFull: nothing can be written now.
        """
        now, rules = self._clock(), self._rules[endpoint]

        def work(rows: Rows) -> tuple[list[tuple[Job, Payload]], list[Job]]:
            taken, over = [], []
            for job in rows.waiting(endpoint, now, limit):
                new = machine.claimed(job, now)
                if new is None:
                    late = machine.overtaken(job, rules, now)
                    if late is not None:
                        over.append(self._note(rows, late, now))
                    continue
                body = rows.body(job.id)
                if body is not None:
                    taken.append((self._note(rows, new, now), body))
            return taken, over

        taken, over = await self._write(work)
        for job in (*(job for job, _ in taken), *over):
            self.backlogs.remove(job)
            self.on_change(job)
        claims = []
        for job, payload in taken:
            try:
                claims.append(Claim(job, await self._payloads.body(job.id, payload)))
            except StorageFull as error:
                await self.settle([Settlement(job, Failed(error.to_json(), again=True))])
        return claims

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Say what came of claims; what is not the latest claim of a running job is not heard.

        Raises:
            StorageFull: nothing can be written now; say it again.
        """
        now = self._clock()
        payloads = {}
        for job, _, result, _ in settlements:
            if result is not None:
                payloads[job.id] = await self._payloads.keep(f"{job.id}.{job.fence}.result", *result)

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
            changed = await self._write(work)
        except StorageFull:
            self._payloads.blobs.drop(payload.file for payload in payloads.values() if payload.file is not None)
            raise
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

        self._payloads.blobs.drop(await self._write(work))

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

    async def result(self, job: Job) -> tuple[str, bytes]:
        """Return the type and the bytes of a job's result.

        Raises:
            JobGone: they are not kept any longer.
        """
        payload = await self._read(lambda rows: rows.result(job.id))
        if payload is None:
            raise JobGone("The job's result is not kept any longer.")
        return payload.content_type, await self._payloads.data(payload)

    async def asked(self, job: Job) -> tuple[str, bytes] | None:
        """Return the type and the bytes of what a job was asked with; None where they are not kept any longer."""
        payload = await self._read(lambda rows: rows.body(job.id))
        return None if payload is None else (payload.content_type, await self._payloads.body(job.id, payload))

    async def page(self, query: Query) -> Sequence[Job]:
        """Return jobs, the latest first."""
        return await self._read(lambda rows: rows.page(query))

    async def events(self, job_id: str, after: int, limit: int = 100) -> Sequence[Event]:
        """Return what has happened to a job since."""
        return await self._read(lambda rows: rows.events(job_id, after, limit))

    async def sweep(self) -> None:
        """End what waits past its time, wish the end of what runs past it, delete what is old; a little at a time."""
        now = self._clock()

        def work(rows: Rows) -> tuple[list[Job], list[str], dict[str, float | None]]:
            over: list[Job] = []
            names: list[str] = []
            for job in rows.overtaken(now, _SWEEP):
                new = machine.overtaken(job, self._rules_of(job), now)
                if new is not None:
                    over.append(self._note(rows, new, now))
            for job in rows.old(now, _SWEEP):
                names += rows.strip(job.id)
                rest = machine.stripped(job, self._rules_of(job))
                if rest is None:
                    rows.delete(job.id)
                else:
                    rows.put(rest)
            return over, names, {name: rows.oldest(name) for name in self._rules}

        over, names, oldest = await self._write(work)
        for name, accepted_at in oldest.items():
            self.backlogs.note_oldest(name, accepted_at)
        self._payloads.blobs.drop(names)
        for job in over:
            if job.is_terminal:
                self.backlogs.remove(job)
            self.on_change(job)

    def _note(self, rows: Rows, job: Job, now: float, result: Payload | None = None) -> Job:
        """Write what a job has become, that it has, and whom to tell."""
        rows.put(job, result)
        wished = job.status is Status.RUNNING and job.cancel_requested_at == now
        told = {"status": job.status, "attempt": job.attempt, "error": _told(job.error) if job.error else None}
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


def _after(now: float, seconds: float) -> float | None:
    return None if seconds == inf else now + seconds


def _told(error: bytes) -> dict[str, object]:
    """What clients are told of a failure: its problem document, without what is for the log."""
    problem: dict[str, object] = json.loads(RequestError.from_json(error).problem(""))
    del problem["request_id"]
    return problem
