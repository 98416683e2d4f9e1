"""Doing a job again that has come to an end without a result.

What has ended never changes: its record stays what happened, and whoever has asked has been told. So the work is a new
job, with the same body and limits. Asking for it twice is one new job.
"""

from __future__ import annotations

from math import inf

from litgen_runtime.errors import JobFinished, JobGone, JobUnfinished
from litgen_runtime.jobs.ledger import Ledger
from litgen_runtime.jobs.record import Job, Status
from litgen_runtime.jobs.wish import Wish


async def again(ledger: Ledger, job_id: str, principal: str) -> tuple[Job, bool]:
    """Submit a job again; return the new one, and whether that was there already.

    Raises:
        NotFound: there is no such job of this principal.
        JobUnfinished: it has not ended yet.
        JobFinished: it has succeeded.
        JobGone: what it was asked with is not kept any longer.
        QueueFull: as much waits as may.
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
    return await ledger.submit(wish)


def _limit(job: Job, at: float | None) -> float:
    return inf if at is None else at - job.created_at
