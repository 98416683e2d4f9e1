"""What receivers of webhooks are told of jobs, and clients of webhooks."""

from __future__ import annotations

import json
from typing import Any

from litgen_runtime.http.job_papers import iso, members_of, output_of, urls_below, with_output
from litgen_runtime.jobs.delivery import Delivery
from litgen_runtime.jobs.record import Job
from litgen_runtime.jobs.store import Payload


def webhook_of(kind: str, now: float, job: Job, result: Payload | None, base: str) -> bytes:
    """Return the body of a webhook: the job as ``GET`` shows it, its output where that is small.

    Args:
        kind: of what it tells, such as ``job.succeeded``.
        now: when that happened.
        job: as it is then.
        result: what came of it.
        base: what links begin with.
    """
    output = b"null" if result is None or result.data is None else output_of(result.content_type, result.data)
    shown = with_output({**members_of(job), "urls": urls_below(base, job)}, output)
    told = json.dumps({"type": kind, "timestamp": iso(now)}).encode()
    return b'%s, "data": {"job": %s}}' % (told[:-1], shown)


def delivery_of(delivery: Delivery) -> dict[str, Any]:
    """Describe a delivery."""
    pending = delivery.ended_at is None
    return {
        "id": delivery.id,
        "job_id": delivery.job,
        "type": delivery.type,
        "url": delivery.url,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "created_at": iso(delivery.created_at),
        "next_attempt_at": iso(delivery.due) if pending else None,
        "finished_at": iso(delivery.ended_at),
        "last_attempt_at": iso(delivery.last_at),
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
    }
