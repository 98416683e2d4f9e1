"""The states of a job, as pure functions: a job and what happens to it in, what it is then out.

::

    queued ──claimed──▶ running ──▶ succeeded | failed | canceled
      ▲ │                  │
      │ └▶ canceled        │ given back, or to be tried again
      │ └▶ expired         │
      └────────────────────┘

A terminal job never changes. What a claim says of a job counts only while it is the latest (``fence``). A result beats
a wish to cancel that came too late; a failure does not.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from litgen_runtime.jobs.record import Job, Status

_FIRST_BACKOFF_S = 1.0
_LONGEST_BACKOFF_S = 300.0
_JITTER = 0.2
MAX_BACKOFF_S = _LONGEST_BACKOFF_S * (1.0 + _JITTER)


@dataclass(frozen=True, slots=True)
class Rules:
    """What an endpoint's jobs are granted.

    Args:
        max_attempts: how often one is tried at most.
        repeatable: whether what may have run can run again.
        keep_s: for how long its result is kept, in seconds.
        remember_s: for how long it is known after that that there was one, in seconds.
    """

    max_attempts: int
    repeatable: bool
    keep_s: float
    remember_s: float


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The attempt has a result."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt has none.

    Args:
        error: the problem document that says why.
        again: whether another attempt may fare better.
    """

    error: bytes
    again: bool


@dataclass(frozen=True, slots=True)
class GivenBack:
    """The attempt was stopped, or never began: it does not count."""


Outcome = Succeeded | Failed | GivenBack


def claimed(job: Job, now: float) -> Job | None:
    """Return the job as it begins to run; None if it may not."""
    if job.status is not Status.QUEUED or job.not_before > now or ended_by_time(job, now) is not None:
        return None
    return replace(job, status=Status.RUNNING, attempt=job.attempt + 1, fence=job.fence + 1, started_at=now, error=None)


def settled(job: Job, fence: int, outcome: Outcome, rules: Rules, now: float) -> Job | None:
    """Return the job after its attempt; None if the attempt is not the latest, or the job not running."""
    if job.status is not Status.RUNNING or job.fence != fence:
        return None
    if isinstance(outcome, Succeeded):
        return _ended(job, Status.SUCCEEDED, rules, now, None)
    if job.cancel_requested_at is not None:
        return _ended(job, Status.CANCELED, rules, now, None)
    if isinstance(outcome, GivenBack):  # it keeps its place among those that wait
        return replace(_queued(job), attempt=job.attempt - 1)
    if outcome.again and job.retries and rules.repeatable and job.attempt < rules.max_attempts:
        return replace(_queued(job), not_before=now + backoff_s(job.attempt), error=outcome.error)
    return _ended(job, Status.FAILED, rules, now, outcome.error)


def recovered(job: Job, lost: bytes, rules: Rules, now: float) -> Job | None:
    """Return a job that ran when its process died; None if it did not.

    Args:
        job: as it was stored.
        lost: the problem document for one that may not be tried again.
        rules: what it is granted.
        now: when the next process has begun.
    """
    return settled(job, job.fence, Failed(lost, again=True), rules, now)


def cancelled(job: Job, rules: Rules, now: float) -> Job | None:
    """Return the job after a wish to cancel it; None if it has ended already."""
    if job.is_terminal:
        return None
    if job.status is Status.QUEUED:
        return _ended(
            replace(job, cancel_requested_at=job.cancel_requested_at or now), Status.CANCELED, rules, now, None
        )
    return replace(job, cancel_requested_at=job.cancel_requested_at or now)


def ended_by_time(job: Job, now: float) -> Status | None:
    """Return where a job that waits belongs by now: canceled, expired, or None for where it is."""
    if job.status is not Status.QUEUED:
        return None
    if job.cancel_at is not None and job.cancel_at <= now:
        return Status.CANCELED
    return Status.EXPIRED if job.start_by is not None and job.start_by <= now and not job.attempt else None


def overtaken(job: Job, rules: Rules, now: float) -> Job | None:
    """Return a job whose time is over: ended if it waits, to be stopped if it runs; None if it is not."""
    if ended_by_time(job, now) is Status.EXPIRED:
        return _ended(job, Status.EXPIRED, rules, now, job.error)
    told = job.status is Status.RUNNING and job.cancel_requested_at is not None
    due = job.cancel_at is not None and job.cancel_at <= now
    return cancelled(job, rules, now) if due and not told else None


def stripped(job: Job, rules: Rules) -> Job | None:
    """Return a job whose payloads are deleted; None if the rest of it is to go too."""
    if job.is_gone or job.keep_until is None:
        return None
    return replace(job, is_gone=True, keep_until=job.keep_until + rules.remember_s)


def backoff_s(attempt: int, jitter: float | None = None) -> float:
    """Return how long to wait after so many failed attempts, in seconds.

    Args:
        attempt: 1 after the first.
        jitter: -1 to 1; random unless given.
    """
    if jitter is None:
        jitter = random.uniform(-1.0, 1.0)  # noqa: S311 - spreads load, guards nothing
    seconds: float = min(_FIRST_BACKOFF_S * 4.0 ** (attempt - 1), _LONGEST_BACKOFF_S)
    return seconds * (1.0 + _JITTER * jitter)


def _queued(job: Job) -> Job:
    """Return a job that waits again: how far its run has come is over with it."""
    return replace(job, status=Status.QUEUED, started_at=None, progress=None, note=None)


def _ended(job: Job, status: Status, rules: Rules, now: float, error: bytes | None) -> Job:
    return replace(job, status=status, finished_at=now, keep_until=now + rules.keep_s, error=error)
