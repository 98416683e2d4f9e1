"""The ledger over the real store, beside a model that a reader can check by eye."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from litgen_runtime.errors import (
    IdempotencyKeyReused,
    JobFinished,
    JobGone,
    JobUnfinished,
    NotFound,
    PredictFailed,
    QueueFull,
)
from litgen_runtime.jobs.blobs import Blobs
from litgen_runtime.jobs.bounds import Backlogs, Bounds
from litgen_runtime.jobs.claims import Claim, Settlement
from litgen_runtime.jobs.intake import Underway
from litgen_runtime.jobs.ledger import Ledger
from litgen_runtime.jobs.machine import Failed, GivenBack, Rules, Succeeded
from litgen_runtime.jobs.record import Job, Status
from litgen_runtime.jobs.sqlite import SqliteStore
from litgen_runtime.jobs.store import Query
from litgen_runtime.jobs.wish import Wish

R = TypeVar("R")
RULES = {"embed": Rules(2, repeatable=True, keep_s=50.0, remember_s=500.0)}
BOUND = Bounds(jobs=6, bytes=300_000, age_s=1e9)
LARGE = b"x" * 100_000
PREDICT_FAILED = PredictFailed("It raised.").to_json()
BODIES = [b"{}", b'{"a": 1}', LARGE]


class Known:
    """What the model knows of a job."""

    def __init__(self, body: bytes, key: str | None) -> None:
        self.body = body
        self.key = key
        self.status = Status.QUEUED
        self.due = 0.0
        self.attempt = 0
        self.claim: Claim | None = None
        self.wished = False
        self.result: bytes | None = None
        self.ended = 0.0


class LedgerMachine(RuleBasedStateMachine):
    """Everything that can be done to jobs, the death of the process included."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="litgen-ledger-"))
        self.runner = asyncio.Runner()
        self.now = 1000.0
        self.known: dict[str, Known] = {}
        self.stale: list[Claim] = []
        self.open()

    def open(self) -> None:
        """Begin, or begin again."""
        self.store = SqliteStore(self.folder / "jobs.db")
        blobs = Blobs(self.folder / "jobs.files")
        self.ledger = Ledger(self.store, blobs, RULES, Backlogs({"embed": BOUND}), lambda: self.now)
        self.run(self.ledger.recover())

    def teardown(self) -> None:
        """Leave nothing."""
        self.store.close()
        self.runner.close()
        shutil.rmtree(self.folder)

    def run(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """Wait for something."""
        return self.runner.run(coroutine)

    def those(self, *status: Status) -> list[str]:
        """Return the ids of jobs that stand there."""
        return [each for each, known in self.known.items() if known.status in status]

    @rule(body=st.sampled_from(BODIES), key=st.none() | st.sampled_from(["k1", "k2"]))
    def submit(self, body: bytes, key: str | None) -> None:
        """A client asks, perhaps again."""
        waiting = [self.known[each] for each in self.those(Status.QUEUED)]
        size = sum(len(each.body) for each in waiting)
        earlier = {known.key: (job_id, known) for job_id, known in self.known.items() if known.key}.get(key or "")
        wish = Wish("embed", "alice", body, "application/json", key)
        if earlier is not None and earlier[1].body != body:
            with pytest.raises(IdempotencyKeyReused):
                self.run(self.ledger.submit(wish))
        elif earlier is None and (len(waiting) >= BOUND.jobs or (waiting and size + len(body) > BOUND.bytes)):
            with pytest.raises(QueueFull):
                self.run(self.ledger.submit(wish))
        else:
            job, replayed = self.run(self.ledger.submit(wish))
            assert replayed == (earlier is not None)
            if earlier is not None:
                assert job.id == earlier[0]
            else:
                self.known[job.id] = Known(body, key)
                self.known[job.id].due = self.now

    @rule(body=st.sampled_from(BODIES), key=st.none() | st.sampled_from(["k1", "k2"]))
    def take_over(self, body: bytes, key: str | None) -> None:
        """A call that runs becomes a job; there is no bound to what runs already."""
        earlier = {known.key: job_id for job_id, known in self.known.items() if known.key}.get(key or "")
        wish, adopted = Wish("embed", "alice", body, "application/json", key), list[Job]()
        underway = Underway(2.0, 1.0, adopted.append)
        if earlier is not None and self.known[earlier].body != body:
            with pytest.raises(IdempotencyKeyReused):
                self.run(self.ledger.submit(wish, underway))
            return
        job, replayed = self.run(self.ledger.submit(wish, underway))
        assert (replayed, adopted) == (earlier is not None, [] if replayed else [job])
        if not replayed:
            known = self.known[job.id] = Known(body, key)
            known.status, known.claim, known.attempt, known.due = Status.RUNNING, Claim(job, body), 1, job.created_at
            assert (job.created_at, job.started_at) == (self.now - 2.0, self.now - 1.0)

    @rule(limit=st.integers(1, 4))
    def claim(self, limit: int) -> None:
        """The engine has room."""
        ready = [each for each in self.those(Status.QUEUED) if self.known[each].due <= self.now]
        expected = sorted(ready, key=lambda each: (self.known[each].due, list(self.known).index(each)))[:limit]
        claims = self.run(self.ledger.claim("embed", limit))
        assert [claim.job.id for claim in claims] == expected
        for claim in claims:
            known = self.known[claim.job.id]
            known.status, known.claim, known.attempt = Status.RUNNING, claim, known.attempt + 1
            assert claim.body == known.body
            assert claim.job.attempt == known.attempt

    @precondition(lambda self: self.those(Status.RUNNING))
    @rule(data=st.data(), what=st.sampled_from(["succeed", "fail", "fail-again", "give-back"]))
    def settle(self, data: st.DataObject, what: str) -> None:
        """An attempt ends."""
        job_id = data.draw(st.sampled_from(self.those(Status.RUNNING)))
        known = self.known[job_id]
        claim, known.claim = known.claim, None
        assert claim is not None
        self.stale.append(claim)
        if what == "succeed":
            result = data.draw(st.sampled_from(BODIES))
            self.run(self.ledger.settle([Settlement(claim.job, Succeeded(), ("text/plain", result))]))
            known.status, known.result = Status.SUCCEEDED, result
        else:
            outcome = GivenBack() if what == "give-back" else Failed(PREDICT_FAILED, again=what == "fail-again")
            self.run(self.ledger.settle([Settlement(claim.job, outcome)]))
            self._after_failure(job_id, what)
        known.ended = self.now

    def _after_failure(self, job_id: str, what: str) -> None:
        known = self.known[job_id]
        if known.wished:
            known.status = Status.CANCELED
        elif what == "give-back":
            known.status, known.attempt = Status.QUEUED, known.attempt - 1
        elif what == "fail-again" and known.attempt < 2:
            known.status = Status.QUEUED
            known.due = self._job(job_id).not_before
            assert self.now < known.due <= self.now + 2
        else:
            known.status = Status.FAILED

    @precondition(lambda self: self.stale)
    @rule(data=st.data(), result=st.sampled_from([b"stale", LARGE]))
    def settle_late(self, data: st.DataObject, result: bytes) -> None:
        """What an earlier claim says changes nothing, and leaves nothing."""
        claim = data.draw(st.sampled_from(self.stale))
        before = set((self.folder / "jobs.files").iterdir())
        self.run(self.ledger.settle([Settlement(claim.job, Succeeded(), ("text/plain", result))]))
        assert set((self.folder / "jobs.files").iterdir()) == before

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """A client has changed its mind."""
        job_id = data.draw(st.sampled_from(list(self.known)))
        known = self.known[job_id]
        if known.status in (Status.QUEUED, Status.RUNNING):
            job = self.run(self.ledger.cancel(job_id, "alice"))
            if known.status is Status.QUEUED:
                known.status, known.ended = Status.CANCELED, self.now
            known.wished = True
            assert job.status is known.status
        else:
            with pytest.raises(JobFinished):
                self.run(self.ledger.cancel(job_id, "alice"))
        with pytest.raises(NotFound):
            self.run(self.ledger.cancel(job_id, "mallory"))

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """A client wants it forgotten."""
        job_id = data.draw(st.sampled_from(list(self.known)))
        if self.known[job_id].status in (Status.QUEUED, Status.RUNNING):
            with pytest.raises(JobUnfinished):
                self.run(self.ledger.delete(job_id, "alice"))
        else:
            self.run(self.ledger.delete(job_id, "alice"))
            del self.known[job_id]

    @rule(seconds=st.sampled_from([0.5, 3.0, 30.0, 60.0]))
    def wait(self, seconds: float) -> None:
        """Time passes, and what is old goes."""
        self.now += seconds
        self.run(self.ledger.sweep())
        for job_id, known in list(self.known.items()):
            if known.status not in (Status.QUEUED, Status.RUNNING) and known.ended + 50 <= self.now:
                with pytest.raises(JobGone):
                    self.run(self.ledger.get(job_id, "alice"))
                del self.known[job_id]

    @rule()
    def die(self) -> None:
        """The process ends and another one begins: what ran waits again, or has failed."""
        self.store.close()
        self.open()
        for job_id in self.those(Status.RUNNING):
            known = self.known[job_id]
            assert known.claim is not None
            self.stale.append(known.claim)
            known.claim, known.ended = None, self.now
            self._after_failure(job_id, "fail-again")

    @invariant()
    def agrees(self) -> None:
        """The ledger says what the model says."""
        for job_id, known in self.known.items():
            job = self._job(job_id)
            assert (job.status, job.attempt) == (known.status, known.attempt)
            assert (job.cancel_requested_at is not None) == known.wished
            if known.status is Status.SUCCEEDED:
                assert self.run(self.ledger.result(job)) == ("text/plain", known.result)
        waiting = [self.known[each] for each in self.those(Status.QUEUED)]
        counted = self.ledger.backlogs["embed"]
        assert (counted.jobs, counted.bytes) == (len(waiting), sum(len(each.body) for each in waiting))
        page = self.run(self.ledger.page(Query("alice", limit=1000)))
        assert [job.id for job in page if not job.is_gone] == list(self.known)[::-1]

    @invariant()
    def holds_no_file_for_nothing(self) -> None:
        """Each file belongs to a job that is still there."""
        files = {path.name.partition(".")[0] for path in (self.folder / "jobs.files").iterdir()}
        assert files <= set(self.known)

    def _job(self, job_id: str) -> Any:
        return self.run(self.ledger.get(job_id, "alice"))


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
