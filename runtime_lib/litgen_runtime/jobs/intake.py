"""What becomes of a wish: a new job, or the one that its key has made before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from litgen_runtime.errors import IdempotencyKeyReused
from litgen_runtime.jobs.blobs import INLINE_BYTES
from litgen_runtime.jobs.payloads import storage_full
from litgen_runtime.jobs.record import Job, Status, new_id
from litgen_runtime.jobs.store import Key, Rows, Store, StoreDamaged, StoreFailed
from litgen_runtime.jobs.wish import Wish

_REUSED = "This Idempotency-Key was used for another request. Use a new key for each request."


class Underway(NamedTuple):
    """A client's call that becomes a job.

    Args:
        came_s: how many seconds ago it came.
        ran_s: for how many seconds it has run, or been with a worker; None: it waits.
        adopt: given the job once it is on the disk, if it runs.
    """

    came_s: float
    ran_s: float | None
    adopt: Callable[[Job], None]


async def expect_open(opened: asyncio.Event, store: Store, seconds: float) -> None:
    """Wait until what an earlier process left has been taken up; a store in trouble is not waited for.

    Raises:
        StorageFull: it has not been, so many seconds later.
    """
    try:
        async with asyncio.timeout(0.0 if store.trouble else seconds):
            await opened.wait()
    except TimeoutError:
        why = store.trouble or "what an earlier process left has not been taken up yet"
        raise storage_full(StoreDamaged(why) if store.is_damaged else StoreFailed(why)) from None


def new_job(wish: Wish, now: float, underway: Underway | None) -> Job:
    """Return the job that a wish asks for; its limits of time count from when its client came."""
    came = now if underway is None else now - underway.came_s
    job = Job(
        new_id(),
        wish.endpoint,
        wish.principal,
        Status.QUEUED,
        came,
        came,
        wish.size,
        retries=wish.retries,
        start_by=_after(came, wish.start_within_s),
        cancel_at=_after(came, wish.cancel_after_s),
    )
    if underway is None or underway.ran_s is None:
        return job
    return replace(job, status=Status.RUNNING, attempt=1, fence=1, started_at=now - underway.ran_s)


async def key_of(wish: Wish) -> Key | None:
    """Return what a wish is known by, if its client has given it a key; large bodies are hashed off the loop."""
    if wish.key is None:
        return None
    is_small = len(wish.body) <= INLINE_BYTES
    fingerprint = wish.fingerprint() if is_small else await asyncio.to_thread(wish.fingerprint)
    return Key(wish.principal, wish.endpoint, wish.key, fingerprint)


def earlier(rows: Rows, key: Key | None) -> Job | None:
    """Return the job that a key has made before.

    Raises:
        IdempotencyKeyReused: it stands for another wish.
    """
    found = rows.job_of(key) if key is not None else None
    if found is None or key is None:
        return None
    job = rows.get(found[0])
    if job is None or found[1] != key.fingerprint:
        raise IdempotencyKeyReused(_REUSED)
    return job


def _after(now: float, seconds: float) -> float | None:
    return None if seconds == float("inf") else now + seconds
