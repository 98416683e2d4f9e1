from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime.jobs import machine
from litgen_runtime.jobs.machine import Failed, GivenBack, Outcome, Rules, Succeeded
from litgen_runtime.jobs.record import TERMINAL, Job, Status, new_id

RULES = Rules(max_attempts=3, repeatable=True, keep_s=100.0, remember_s=1000.0)
ONCE = replace(RULES, repeatable=False)
QUEUED = Job("job_1", "embed", "alice", Status.QUEUED, 10.0, 10.0)

OUTCOMES: st.SearchStrategy[Outcome] = st.one_of(
    st.just(Succeeded()), st.builds(Failed, st.just(b"{}"), st.booleans()), st.just(GivenBack())
)
JOBS = st.builds(
    Job,
    id=st.just("job_1"),
    endpoint=st.just("embed"),
    principal=st.just(""),
    status=st.sampled_from(Status),
    created_at=st.just(0.0),
    not_before=st.floats(0.0, 20.0),
    attempt=st.integers(1, 4),
    fence=st.integers(1, 6),
    retries=st.booleans(),
    start_by=st.none() | st.floats(0.0, 20.0),
    cancel_at=st.none() | st.floats(0.0, 20.0),
    cancel_requested_at=st.none() | st.floats(0.0, 20.0),
)


def running(**changes: object) -> Job:
    """Return a job in its first attempt."""
    job = machine.claimed(QUEUED, 11.0)
    assert job is not None
    return replace(job, **changes)  # type: ignore[arg-type]  # the fields of a job


@given(JOBS, OUTCOMES, st.integers(1, 6), st.floats(0.0, 30.0))
def test_a_terminal_job_never_changes(job: Job, outcome: Outcome, fence: int, now: float) -> None:
    """Whatever happens to it."""
    if job.status in TERMINAL:
        assert machine.claimed(job, now) is None
        assert machine.settled(job, fence, outcome, RULES, now) is None
        assert machine.recovered(job, b"", RULES, now) is None
        assert machine.cancelled(job, RULES, now) is None
        assert machine.overtaken(job, RULES, now) is None


@given(JOBS, OUTCOMES, st.integers(1, 6), st.sampled_from([RULES, ONCE]))
def test_only_the_latest_claim_is_heard(job: Job, outcome: Outcome, fence: int, rules: Rules) -> None:
    """And only while the job runs; attempts are bounded, and what may not run twice does not wait again."""
    new = machine.settled(job, fence, outcome, rules, 30.0)
    assert (new is not None) == (job.status is Status.RUNNING and fence == job.fence)
    if new is None:
        return
    assert new.is_terminal or new.status is Status.QUEUED
    assert new.is_terminal == (new.finished_at is not None) == (new.keep_until is not None)
    if isinstance(outcome, Succeeded):
        assert new.status is Status.SUCCEEDED
    elif job.cancel_requested_at is not None:
        assert new.status is Status.CANCELED
    elif isinstance(outcome, Failed) and new.status is Status.QUEUED:
        assert outcome.again
        assert rules.repeatable
        assert job.retries
        assert job.attempt < rules.max_attempts
        assert new.not_before > 30.0
    elif isinstance(outcome, GivenBack):
        assert (new.status, new.attempt, new.not_before) == (Status.QUEUED, job.attempt - 1, job.not_before)
    assert new.fence == job.fence, "an old claim could pass for a new one"


@given(JOBS, st.floats(0.0, 30.0))
def test_a_claim(job: Job, now: float) -> None:
    """Begins what waits, is due, and has time left; each has a fence of its own."""
    new = machine.claimed(job, now)
    late = machine.overtaken(job, RULES, now)
    may = job.status is Status.QUEUED and job.not_before <= now and (late is None or not late.is_terminal)
    assert (new is not None) == may
    if new is not None:
        assert (new.status, new.attempt, new.fence) == (Status.RUNNING, job.attempt + 1, job.fence + 1)


def test_what_is_given_back_is_as_it_was() -> None:
    """It has its old place among those that wait, and nothing of the run is left but that there was one."""
    job = running(progress=0.8, note="page 8 of 10")
    assert machine.settled(job, job.fence, GivenBack(), RULES, 20.0) == replace(QUEUED, fence=job.fence)


def test_what_an_attempt_leaves() -> None:
    """Its error is told until the next one begins, its progress is over with it."""
    job = running(progress=0.8, note="page 8 of 10")
    waiting = machine.settled(job, job.fence, Failed(b"{}", again=True), RULES, 20.0)
    assert waiting is not None
    assert (waiting.error, waiting.progress, waiting.note) == (b"{}", None, None)
    again = machine.claimed(waiting, 30.0)
    assert again is not None
    assert again.error is None


def test_what_is_tried_again_does_not_expire() -> None:
    """Job-TTL bounds the wait for the first attempt."""
    job = running(start_by=12.0)
    again = machine.settled(job, job.fence, Failed(b"{}", again=True), RULES, 20.0)
    assert again is not None
    assert machine.overtaken(again, RULES, 30.0) is None
    assert machine.claimed(again, 30.0) is not None


def test_cancelling() -> None:
    """What waits ends at once; what runs is told once, and is canceled unless it succeeds."""
    waiting = machine.cancelled(QUEUED, RULES, 12.0)
    assert waiting is not None
    assert (waiting.status, waiting.finished_at, waiting.keep_until) == (Status.CANCELED, 12.0, 112.0)
    told = machine.cancelled(running(), RULES, 12.0)
    assert told is not None
    assert (told.status, told.cancel_requested_at) == (Status.RUNNING, 12.0)
    assert machine.cancelled(told, RULES, 15.0) == told


def test_a_time_to_be_cancelled_at() -> None:
    """It ends what waits, and tells what runs, once."""
    waiting = machine.overtaken(replace(QUEUED, cancel_at=12.0), RULES, 12.0)
    assert waiting is not None
    assert waiting.status is Status.CANCELED
    told = machine.overtaken(running(cancel_at=12.0), RULES, 12.0)
    assert told is not None
    assert (told.status, told.cancel_requested_at) == (Status.RUNNING, 12.0)
    assert machine.overtaken(told, RULES, 13.0) is None


@pytest.mark.parametrize(("rules", "status"), [(RULES, Status.QUEUED), (ONCE, Status.FAILED)])
def test_a_process_that_died(rules: Rules, status: Status) -> None:
    """What it ran is tried again, if that may be; the attempt counts."""
    new = machine.recovered(running(), b"lost", rules, 20.0)
    assert new is not None
    assert (new.status, new.attempt, new.error) == (status, 1, b"lost")


def test_what_is_kept() -> None:
    """Payloads first, then the rest."""
    done = machine.settled(running(), 1, Succeeded(), RULES, 20.0)
    assert done is not None
    rest = machine.stripped(done, RULES)
    assert rest is not None
    assert (done.keep_until, rest.keep_until, rest.is_gone) == (120.0, 1120.0, True)
    assert machine.stripped(rest, RULES) is None


@given(st.integers(1, 30))
def test_backoff(attempt: int) -> None:
    """It grows to five minutes, and is never the same for all."""
    assert 0.8 <= machine.backoff_s(attempt) <= 360
    assert machine.backoff_s(attempt + 1, 0.0) >= machine.backoff_s(attempt, 0.0)


def test_ids_are_in_order() -> None:
    """An id is as long as any other, and sorts behind those that were made before, also in its millisecond."""
    ids = [new_id() for _ in range(2000)]
    assert len(set(ids)) == 2000
    assert {len(each) for each in ids} == {30}
    assert ids == sorted(ids)
