"""The OpenAPI document's words on jobs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from litgen_runtime import errors
from litgen_runtime.http.openapi_parts import header, id_header, json_content, ours, problem, query, request_id
from litgen_runtime.jobs.record import Status

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


MODELS: tuple[type[BaseModel], ...] = (Job, JobList)


def with_jobs(operation: dict[str, Any]) -> dict[str, Any]:
    """Return an endpoint's operation that also takes jobs."""
    return operation | {
        "parameters": [*operation["parameters"], *_wishes()],
        "responses": {"202": _job("Accepted as a job")} | operation["responses"],
    }


def job_paths() -> dict[str, Any]:
    """Return the paths below /v1/jobs."""
    of_one = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    wait = query("wait", {"type": "number", "minimum": 0}, "Seconds to wait for its end, up to 60")
    last = header("Last-Event-ID", {"type": "integer", "minimum": 0, "maximum": 10**12 - 1}, "Go on behind this event")
    gone, unfinished, finished = errors.JobGone, errors.JobUnfinished, errors.JobFinished
    found = {"204": {"description": "There is no more to come", "headers": id_header()}}
    events = {"200": {"description": "What happens, until its end", "headers": id_header(), "content": _EVENTS}}
    result = {"200": {"description": "As the call's own answer", "headers": id_header(), "content": {"*/*": {}}}}
    other = {"default": problem("What the call would have been answered")}
    deleted = {"204": {"description": "Deleted", "headers": id_header()}}
    base = "/v1/jobs/{id}"
    paths: dict[str, Any] = {
        "/v1/jobs": {"get": _operation("getJobs", "List jobs", _page(), _list(), errors.InvalidQuery)},
        base: {
            "get": _operation("getJob", "Ask after a job", [wait], {"200": _job("The job")}, errors.InvalidQuery, gone),
            "delete": _operation("deleteJob", "Delete a job that has ended", [], deleted, unfinished),
        },
        f"{base}/result": {
            "get": _operation(
                "getJobResult",
                "Fetch its result",
                [wait],
                result | {"202": _job("Not yet")} | other,
                errors.InvalidQuery,
                errors.JobCanceled,
                gone,
                errors.JobExpired,
            )
        },
        f"{base}/events": {
            "get": _operation(
                "getJobEvents", "Listen to it", [last], events | found, errors.InvalidHeader, errors.JobGone
            )
        },
        f"{base}/cancel": {
            "post": _operation(
                "cancelJob", "End it", [], {"200": _job("Canceled"), "202": _job("It is told to stop")}, finished
            )
        },
        f"{base}/retry": {
            "post": _operation(
                "retryJob", "Submit it again, as a new job", [], {"202": _job("The new job")}, finished, gone
            )
        },
    }
    for path, item in paths.items():
        if path != "/v1/jobs":
            item["parameters"] = [of_one]
    return paths


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
        query("cursor", {"type": "string"}, "Go on behind this job: next_cursor of the page before"),
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
