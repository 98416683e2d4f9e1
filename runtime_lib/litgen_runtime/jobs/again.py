"""Doing a job again that has come to an end without a result.

What has ended never changes: its record stays what happened, and whoever has asked has been told. So the work is a new
job, with the same body and limits, and whoever was to be told of the one is told of the other. Asking for it twice is
one new job.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from math import inf

from litgen_runtime.errors import JobFinished, JobGone, JobUnfinished
from litgen_runtime.jobs.delivery import Callback
from litgen_runtime.jobs.ledger import Ledger
from litgen_runtime.jobs.record import Job, Status
from litgen_runtime.jobs.wish import Wish


async def again(
    ledger: Ledger, job_id: str, principal: str, guard: Callable[[Callback, str], Awaitable[Callback]]
) -> tuple[Job, bool]:
    """Submit a job again; return the new one, and whether that was there already.

    Args:
        ledger: whose job it is.
        job_id: the job.
        principal: who asks.
        guard: looks again whether a callback may be called, for whom.

    Raises:
        NotFound: there is no such job of this principal.
        JobUnfinished: it has not ended yet.
        JobFinished: it has succeeded.
        JobGone: what it was asked with is not kept any longer.
        WebhookUrlRejected: who was to be told of it may not be called any more.
        WebhookUrlNotChecked: whether it may cannot be known now.
        QueueFull: as much waits as may.
        RateLimited: jobs come faster than they may.
        StorageFull: nothing can be written now.
    """
    job = await ledger.get(job_id, principal)
    if not job.is_terminal:
        raise JobUnfinished(f"The job is {job.status}; only one that has ended can be done again.")
    if job.status is Status.SUCCEEDED:
        raise JobFinished("The job has succeeded; only one that failed, was canceled or has expired can be done again.")
    if job.endpoint not in ledger.backlogs:
        raise JobGone(f"The endpoint {job.endpoint} takes no jobs any more.")
    asked = await ledger.asked(job)
    if asked is None:
        raise JobGone("What the job was asked with is not kept any longer. Submit it anew.")
    content_type, body = asked
    wish = Wish(
        job.endpoint,
        job.principal,
        body,
        content_type,
        f"again {job.id}",  # a key that no client can send: there is a blank in it
        _limit(job, job.start_by),
        _limit(job, job.cancel_at),
        job.retries,
    )
    known = await ledger.find(wish)
    if known is not None:
        return known, True
    callback = await ledger.callback(job)
    if callback is not None:
        wish = replace(wish, callback=await guard(callback, principal))
    return await ledger.submit(wish)


def _limit(job: Job, at: float | None) -> float:
    return inf if at is None else at - job.created_at
