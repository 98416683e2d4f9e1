"""What keeps jobs: one narrow interface, so that the rest does not know which database it is.

All that changes goes through ``write``: the work is done in a transaction together with other works, and the future
has its result when that is on the disk for good.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple, Protocol, TypeVar

from litgen_runtime.errors import NotFound
from litgen_runtime.jobs.delivery import Callback, MailRows
from litgen_runtime.jobs.record import Job, Status

R = TypeVar("R")
MAX_PROGRESS = 1000  # a job's events from the latest on, among which its progress is kept


class StoreFailed(Exception):
    """The database cannot write or read at the moment; nothing of the work has happened."""


class StoreDamaged(StoreFailed):
    """What it has written cannot be read: no later try fares better."""


class PayloadLost(StoreDamaged):
    """The file of a payload is gone; everything else is whole."""


class Payload(NamedTuple):
    """A body, in the database, or in a file where it is large."""

    content_type: str
    size: int
    data: bytes | None
    file: str | None = None


class Key(NamedTuple):
    """An Idempotency-Key, and what it was first used for."""

    principal: str
    route: str
    key: str
    fingerprint: bytes


class Event(NamedTuple):
    """Something that happened to a job. ``number`` counts from 1 for each job."""

    number: int
    at: float
    kind: str
    data: bytes


class Backlog(NamedTuple):
    """What waits for an endpoint. ``oldest``: when that was accepted; None where nothing waits."""

    jobs: int
    bytes: int
    oldest: float | None


class Query(NamedTuple):
    """Which jobs to list, the latest first; None for any."""

    principal: str
    status: Status | None = None
    endpoint: str | None = None
    before: str | None = None
    limit: int = 50


class Rows(MailRows, Protocol):
    """What a work may do in its transaction."""

    def insert(self, job: Job, body: Payload, key: Key | None, callback: Callback | None = None) -> None:
        """Add a job, and note who is to be told of it."""

    def put(self, job: Job, result: Payload | None = None) -> None:
        """Write what has changed about a job."""

    def get(self, job_id: str) -> Job | None:
        """Return a job."""

    def job_of(self, key: Key) -> tuple[str, bytes] | None:
        """Return the id that a key stands for, and the fingerprint that it was used with."""

    def body(self, job_id: str) -> Payload | None:
        """Return what a job was asked with."""

    def result(self, job_id: str) -> Payload | None:
        """Return what came of it."""

    def waiting(self, endpoint: str, now: float, limit: int) -> Sequence[Job]:
        """Return jobs that may be claimed, those that are due first first."""

    def running(self) -> Sequence[Job]:
        """Return the jobs that run."""

    def bring_forward(self, later_than: float, to: float) -> None:
        """Have what waits for a far moment wait until another: the clock may have been set back since."""

    def overtaken(self, now: float, limit: int) -> Sequence[Job]:
        """Return jobs whose time to begin, or to end, is over."""

    def page(self, query: Query) -> Sequence[Job]:
        """Return jobs that are not gone, the latest first."""

    def backlog(self) -> dict[str, Backlog]:
        """Return what waits, by endpoint; dear."""

    def oldest(self, endpoint: str) -> float | None:
        """Return when the job was accepted that is first in turn."""

    def add_event(self, job_id: str, at: float, kind: str, data: bytes) -> None:
        """Note that something happened, and forget progress that is long past."""

    def events(self, job_id: str, after: int, limit: int) -> Sequence[Event]:
        """Return what has happened since."""

    def old(self, now: float, limit: int) -> Sequence[Job]:
        """Return jobs that need not be kept as they are any longer."""

    def strip(self, job_id: str) -> Sequence[str]:
        """Delete a job's payloads, events and key; return the names of its files."""

    def delete(self, job_id: str) -> None:
        """Delete what is left of a job."""

    def files(self) -> set[str]:
        """Return the names of all files."""


Announce = Callable[[Rows, Job, float, Payload | None], None]
"""Writes whom to tell of a job as it moves: the job as it is then, the time, its result."""


class Store(Protocol):
    """Where jobs are."""

    @property
    def trouble(self) -> str | None:
        """Why the latest write failed; None if it did not."""

    @property
    def is_damaged(self) -> bool:
        """Whether somebody has to mend it before anything is written again."""

    def write(self, work: Callable[[Rows], R]) -> Future[R]:
        """Do something in a transaction. What ``work`` raises undoes it, and nothing beside it.

        The future raises ``StoreFailed`` if the transaction could not be written.
        """

    def read(self, work: Callable[[Rows], R]) -> Future[R]:
        """Look at what is there."""

    def close(self) -> None:
        """Write what has been asked for, and let go of the database."""


def owned(rows: Rows, job_id: str, principal: str) -> Job:
    """Return a job of this principal's.

    Raises:
        NotFound: there is none, or it is somebody else's, which is not told apart.
    """
    job = rows.get(job_id)
    if job is None or job.principal != principal:
        raise NotFound(f"There is no job {job_id[:64]!r}.")
    return job
