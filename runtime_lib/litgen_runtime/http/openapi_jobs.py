"""The OpenAPI document's words on jobs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from litgen_runtime import errors
from litgen_runtime.http.openapi_parts import header, id_header, json_content, ours, problem, query, request_id
from litgen_runtime.jobs.delivery import DeliveryStatus
from litgen_runtime.jobs.record import ID_PATTERN, Status

_TIME = "RFC 3339, UTC"
_SECONDS = {"type": "number", "exclusiveMinimum": 0}
_EVENTS = {
    "text/event-stream": {
        "schema": {"description": "id: a number; event: queued, running, progress, log, … ; data: JSON"},
    }
}


class JobMetrics(BaseModel):
    """How long it took."""

    queued_s: float | None
    run_s: float | None


class JobUrls(BaseModel):
    """Where to ask."""

    get: str
    result: str
    events: str
    cancel: str


class Job(BaseModel):
    """A job."""

    id: str
    endpoint: str
    status: Status
    attempt: int
    created_at: str = Field(description=_TIME)
    started_at: str | None
    finished_at: str | None
    expires_at: str | None = Field(description="When its result is deleted")
    cancel_requested_at: str | None
    progress: float | None = Field(ge=0, le=1)
    note: str | None = Field(description="What its own code says beside that")
    error: dict[str, Any] | None = Field(description="Why it has no result, a problem document")
    metrics: JobMetrics
    output: Any = Field(None, description="The result, where it is JSON of at most 20 kB; not in lists")
    urls: JobUrls


class JobList(BaseModel):
    """Some jobs, the latest first."""

    jobs: list[Job]
    next_cursor: str | None


class Delivery(BaseModel):
    """A webhook of a job."""

    id: str = Field(description="Its webhook-id, the same for all attempts")
    job_id: str
    type: str = Field(description="What it tells, such as job.succeeded")
    url: str
    status: DeliveryStatus
    attempts: int
    created_at: str = Field(description=_TIME)
    next_attempt_at: str | None
    finished_at: str | None
    last_attempt_at: str | None
    last_status: int | None = Field(description="Of the latest attempt's answer")
    last_error: str | None


class DeliveryList(BaseModel):
    """The webhooks of a job, the earliest first."""

    deliveries: list[Delivery]


def models(*, webhooks: bool) -> tuple[type[BaseModel], ...]:
    """Return what the paths below speak of."""
    return (Job, JobList, *((Delivery, DeliveryList) if webhooks else ()))


def with_jobs(operation: dict[str, Any], *, webhooks: bool) -> dict[str, Any]:
    """Return an endpoint's operation that also takes jobs.

    Args:
        operation: without.
        webhooks: whether whoever hands one in can be called back.
    """
    refusals = {
        "400": (errors.InvalidHeader, errors.IdempotencyKeyMissing),
        "422": (errors.IdempotencyKeyReused, *((errors.WebhookUrlRejected,) if webhooks else ())),
        "429": (errors.RateLimited,),
        "503": (errors.StorageFull, errors.StorageDamaged, *((errors.WebhookUrlNotChecked,) if webhooks else ())),
    }
    responses = {"202": _job("Accepted as a job")} | operation["responses"]
    for status, more in refusals.items():
        words = [responses[status]["description"]] if status in responses else []
        responses[status] = problem("; or: ".join([*words, *(error.title for error in more)]))
    default = responses.pop("default")
    return operation | {
        "parameters": [*operation["parameters"], *_wishes(), *(_callback() if webhooks else ())],
        "responses": dict(sorted(responses.items())) | {"default": default},
    }


def job_paths(*, webhooks: bool) -> dict[str, Any]:
    """Return the paths below /v1/jobs, and those of webhooks if there are any.

    Args:
        webhooks: whether whoever hands a job in can be called back.
    """
    wait = query("wait", {"type": "number", "minimum": 0}, "Seconds to wait for its end, up to 60")
    base = "/v1/jobs/{id}"
    paths: dict[str, Any] = {
        "/v1/jobs": {"get": _operation("getJobs", "List jobs", _page(), _list(), errors.InvalidQuery)},
        base: {
            "get": _get(wait),
            "delete": _operation(
                "deleteJob",
                "Delete a job that has ended",
                [],
                {"204": {"description": "Deleted", "headers": id_header()}},
                errors.JobUnfinished,
            ),
        },
        f"{base}/result": {"get": _result(wait)},
        f"{base}/events": {"get": _listen()},
        f"{base}/cancel": {
            "post": _operation(
                "cancelJob",
                "End it",
                [],
                {"200": _job("Canceled"), "202": _job("It is told to stop")},
                errors.JobFinished,
            )
        },
        f"{base}/retry": {
            "post": _operation(
                "retryJob",
                "Submit it again, as a new job",
                [],
                {"202": _job("The new job")},
                *(errors.JobFinished, errors.JobGone, errors.RateLimited),
                *((errors.WebhookUrlRejected, errors.WebhookUrlNotChecked) if webhooks else ()),
            )
        },
    }
    if webhooks:
        paths |= _deliveries()
    for path, item in paths.items():
        if path != "/v1/jobs":
            item["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    return paths


def _get(wait: Any) -> dict[str, Any]:
    known = header(
        "If-None-Match",
        {"type": "string"},
        "The ETag of the latest answer: 304 while nothing has changed; with `wait`, as soon as something has",
    )
    tag = {"ETag": {"schema": {"type": "string"}, "description": "Another one with every change"}}
    shown = _job("The job")
    shown["headers"] = shown["headers"] | tag
    unchanged = {"304": {"description": "Nothing has changed", "headers": id_header() | tag}}
    return _operation(
        "getJob", "Ask after a job", [wait, known], {"200": shown} | unchanged, errors.InvalidQuery, errors.JobGone
    )


def _result(wait: Any) -> dict[str, Any]:
    answers = {
        "200": {"description": "As the call's own answer", "headers": id_header(), "content": {"*/*": {}}},
        "202": _job("Not yet"),
        "default": problem("What the call would have been answered"),
    }
    refusals = (errors.InvalidQuery, errors.JobCanceled, errors.JobGone, errors.JobExpired)
    return _operation("getJobResult", "Fetch its result", [wait], answers, *refusals)


def _listen() -> dict[str, Any]:
    last = header("Last-Event-ID", {"type": "integer", "minimum": 0, "maximum": 10**12 - 1}, "Go on behind this event")
    answers = {
        "200": {"description": "What happens, until its end", "headers": id_header(), "content": _EVENTS},
        "204": {"description": "There is no more to come", "headers": id_header()},
    }
    return _operation("getJobEvents", "Listen to it", [last], answers, errors.InvalidHeader, errors.JobGone)


def _deliveries() -> dict[str, Any]:
    found = {"description": "Its webhooks", "headers": id_header(), "content": json_content(ours("DeliveryList"))}
    again = {"description": "It is sent again", "headers": id_header(), "content": json_content(ours("Delivery"))}
    return {
        "/v1/jobs/{id}/deliveries": {
            "get": _operation("getJobDeliveries", "Ask after its webhooks", [], {"200": found})
        },
        "/v1/deliveries/{id}/redeliver": {
            "post": _operation("redeliverWebhook", "Send a webhook again", [], {"202": again})
        },
    }


def _operation(
    name: str, summary: str, parameters: list[Any], answers: dict[str, Any], *refusals: type[errors.RequestError]
) -> dict[str, Any]:
    everywhere: tuple[type[errors.RequestError], ...] = (errors.NotFound, errors.MethodNotAllowed, errors.StorageFull)
    refused = {str(error.status): problem(error.title) for error in (*refusals, *everywhere)}
    return {
        "operationId": name,
        "summary": summary,
        "tags": ["jobs"],
        "parameters": [request_id(), *parameters],
        "responses": answers | refused,
    }


def _job(words: str) -> dict[str, Any]:
    location = {"schema": {"type": "string"}, "description": "Where to ask after it"}
    return {"description": words, "headers": id_header() | {"Location": location}, "content": json_content(ours("Job"))}


def _list() -> dict[str, Any]:
    content = json_content(ours("JobList"))
    return {"200": {"description": "Some jobs", "headers": id_header(), "content": content}}


def _page() -> list[Any]:
    return [
        query("status", {"enum": [status.value for status in Status]}, "Only those that stand there"),
        query("endpoint", {"type": "string"}, "Only this endpoint's"),
        query(
            "cursor",
            {"type": "string", "pattern": f"^{ID_PATTERN}$"},
            "Go on behind this job: next_cursor of the page before",
        ),
        query("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}, "How many at most"),
    ]


def _wishes() -> list[Any]:
    prefer = header(
        "Prefer", {"type": "string"}, "`respond-async`: accept it as a job; `wait=10`: answer if done by then"
    )
    prefer["examples"] = {"a call": {"value": "wait=10"}, "a job": {"value": "respond-async"}}
    key = {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"}
    return [
        prefer,
        header("Idempotency-Key", key, "The same key is the same job, however often it is submitted"),
        header("Job-TTL", _SECONDS, "It expires unless it has begun by then, in seconds"),
        header("Cancel-After", _SECONDS, "It is canceled then, in seconds"),
        header("Job-Retry", {"enum": ["none"]}, "`none`: one attempt"),
    ]


def _callback() -> list[Any]:
    return [
        header("Webhook-Url", {"type": "string", "format": "uri"}, "Who is to be told what becomes of the job"),
        header("Webhook-Events", {"enum": ["completed", "started", "started, completed"]}, "Of what; its end"),
    ]
