"""What clients are told of jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, NoReturn

from litgen_runtime.errors import JobCanceled, JobExpired, RequestError
from litgen_runtime.http.messages import Answer, Scope
from litgen_runtime.jobs.ledger import Ledger
from litgen_runtime.jobs.record import Job, Status

_INLINE_BYTES = 20_000
_NONE = b"null"
_POLL_S = "1"


class Paper(NamedTuple):
    """A job as a client sees it. ``members``: the JSON document, without ``output``, which is JSON already."""

    job: Job
    members: dict[str, Any]
    output: bytes

    def answer(self, status: int, headers: Mapping[str, str] | None = None) -> Answer:
        """Return it as an answer that says where it is to be found, and when to look again."""
        told = {"Location": self.members["urls"]["get"], "Cache-Control": "no-store", **(headers or {})}
        if not self.job.is_terminal:
            told["Retry-After"] = _POLL_S
        return Answer(status, b"application/json", with_output(self.members, self.output), told)


async def paper_of(ledger: Ledger, job: Job, scope: Scope) -> Paper:
    """Describe a job, with its result where that is small."""
    output = output_of(*await ledger.result(job, _INLINE_BYTES)) if job.status is Status.SUCCEEDED else _NONE
    return Paper(job, listed(job, scope), output)


def output_of(content_type: str, data: bytes) -> bytes:
    """Return a result as JSON that is shown beside its job; null where it is large, or no strict JSON.

    It is shown as it stands: what is JSON need not be what Python can read and write, such as a very long number.
    """
    if len(data) > _INLINE_BYTES or not content_type.startswith("application/json"):
        return _NONE
    try:
        json.loads(data.decode(), parse_constant=_refuse, parse_int=len)
    except (ValueError, RecursionError):
        return _NONE
    return data


def with_output(members: Mapping[str, Any], output: bytes) -> bytes:
    """Return a JSON document of these members, and of ``output``."""
    return b'%s, "output": %s}' % (json.dumps(members).encode()[:-1], output)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def listed(job: Job, scope: Scope) -> dict[str, Any]:
    """Describe a job in a list: without its result."""
    return {**members_of(job), "urls": urls_below(base_of(scope), job)}


async def answer_of(ledger: Ledger, job: Job, headers: Mapping[str, str] | None = None) -> Answer:
    """Return the answer that the synchronous call would have had.

    Raises:
        RequestError: what went wrong; or there is none, since the job was canceled, or expired.
    """
    if job.status is Status.SUCCEEDED:
        content_type, data = await ledger.result(job)
        return Answer(200, content_type.encode("latin-1"), data, headers or {})
    raise _error_of(job)


def _error_of(job: Job) -> RequestError:
    if job.status is Status.CANCELED:
        return JobCanceled("The job was canceled and has no result.")
    if job.error is not None:
        return RequestError.from_json(job.error)
    return JobExpired("The job did not begin within its Job-TTL. Submit it again, or allow more time.")


def members_of(job: Job) -> dict[str, Any]:
    """Describe a job without its result and without links."""
    error = json.loads(_error_of(job).problem("")) if job.error or job.status is Status.EXPIRED else None
    if error is not None:
        del error["request_id"]
    run_s = job.finished_at - job.started_at if job.finished_at and job.started_at else None
    return {
        "id": job.id,
        "endpoint": job.endpoint,
        "status": job.status,
        "attempt": job.attempt,
        "created_at": iso(job.created_at),
        "started_at": iso(job.started_at),
        "finished_at": iso(job.finished_at),
        "expires_at": iso(job.keep_until),
        "cancel_requested_at": iso(job.cancel_requested_at),
        "progress": job.progress,
        "note": job.note,
        "error": error,
        "metrics": {
            "queued_s": None if job.started_at is None else round(job.started_at - job.created_at, 3),
            "run_s": None if run_s is None else round(run_s, 3),
        },
    }


def base_of(scope: Scope) -> str:
    """Return what links begin with: on this server, whatever name, scheme or proxy the client has come by."""
    return str(scope.get("root_path", ""))


def urls_below(base: str, job: Job) -> dict[str, str]:
    """Return the links of a job."""
    base = f"{base}/v1/jobs/{job.id}"
    return {"get": base, "result": f"{base}/result", "events": f"{base}/events", "cancel": f"{base}/cancel"}


def iso(seconds: float | None) -> str | None:
    """Return a time as clients are told it: UTC, to the millisecond."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
