"""Every error that an owner or a client can meet.

::

    LitgenError
    ├── SettingsError            service.toml, the environment or a class it names is wrong
    ├── StartupError             the service could never start (exit code 3)
    └── RequestError             answered to a client as an RFC 9457 problem
        ├── InvalidJSON            400 invalid-json
        ├── InvalidForm            400 invalid-form
        ├── InvalidHeader          400 invalid-header
        ├── InvalidQuery           400 invalid-query
        ├── IdempotencyKeyMissing  400 idempotency-key-required
        ├── Unauthorized           401 unauthorized
        ├── Forbidden              403 forbidden
        ├── NotFound               404 not-found
        ├── MethodNotAllowed       405 method-not-allowed
        ├── ClientTooSlow          408 client-too-slow
        ├── JobCanceled            409 job-canceled
        ├── JobFinished            409 job-finished
        ├── JobUnfinished          409 job-not-finished
        ├── JobGone                410 job-expired
        ├── PayloadTooLarge        413 payload-too-large
        ├── UnsupportedMediaType   415 unsupported-media-type
        ├── InvalidInput           422 invalid-input
        ├── IdempotencyKeyReused   422 idempotency-key-reused
        ├── Quarantined            422 quarantined
        ├── WebhookUrlRejected     422 webhook-url-rejected
        ├── RateLimited            429 rate-limited
        ├── TooManyRequests        429 too-many-requests
        ├── HeadersTooLarge        431 headers-too-large
        ├── InternalError          500 internal-error
        ├── PredictFailed          500 predict-failed
        ├── InvalidResult          500 invalid-result
        ├── OutOfMemory            500 out-of-memory
        ├── KillsWorkers           500 kills-workers
        ├── UnsupportedCoding      501 unsupported-transfer-encoding
        ├── Loading                503 loading
        ├── QueueFull              503 queue-full
        ├── StorageFull            503 storage-full
        │   └── StorageDamaged     503 storage-damaged
        ├── TooManyConnections     503 too-many-connections
        ├── WebhookUrlNotChecked   503 webhook-url-not-checked
        ├── WorkerDied             503 worker-died
        ├── Draining               503 draining
        ├── DeadlineExceeded       504 timeout
        ├── Hopeless               504 no-time-left
        ├── JobExpired             504 job-not-started
        ├── RunTooLong             504 run-too-long
        ├── CannotStore            507 cannot-store
        └── HTTPError              the status that the owner's code chose
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from litgen_runtime.sendable import expect_sendable, phrase_of, sendable


class LitgenError(Exception):
    """The root of the tree."""


class SettingsError(LitgenError):
    """A choice that cannot work: the message says which key, its value, what was expected and the fix."""


class StartupError(LitgenError):
    """The service could never start; it ends with exit code 3 and nothing left running."""


class RequestError(LitgenError):
    """A failure that one client is told of as a problem document (Source: RFC 9457).

    Args:
        detail: one or two sentences for the client: what, what was expected, what to do.
        headers: extra response headers, such as ``Retry-After``.
        log: what the service's log says beside it, never sent to the client.
        **extra: further members of the problem document.
    """

    status: int = 500
    code: str = "internal-error"
    title: str = "Internal error"

    def __init__(
        self, detail: str, headers: Mapping[str, str] | None = None, log: str | None = None, **extra: object
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.log = log
        self.extra = extra

    def to_json(self) -> bytes:
        """Return the document that ``RequestError.from_json`` reads, for the way from a worker."""
        members: dict[str, object] = {"status": self.status, "code": self.code, "title": self.title}
        members |= {"detail": str(self.detail), "headers": self.headers, "log": self.log, "extra": self.extra}
        return json.dumps(members, default=str).encode()

    @staticmethod
    def from_json(text: bytes) -> RequestError:
        """Read what ``to_json`` wrote: the same answer, without the class that gave it.

        Headers that cannot be sent are left out: an owner's code may have added them after the error was made.
        """
        members = json.loads(text)
        headers = {name: value for name, value in members["headers"].items() if sendable(name, value)}
        error = RequestError(members["detail"], headers, members["log"], **members["extra"])
        error.status, error.code, error.title = (members["status"], members["code"], members["title"])
        return error

    def problem(self, request_id: str) -> bytes:
        """Return the problem document (Source: RFC 9457), strict JSON whatever the texts hold."""
        members = {
            "type": f"urn:litgen:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
        }
        text = json.dumps(members | self.extra, ensure_ascii=False, allow_nan=False, default=str)
        return text.encode("utf-8", "replace")


class InvalidJSON(RequestError):
    """The body is not JSON."""

    status, code, title = 400, "invalid-json", "The body is not valid JSON"


class InvalidForm(RequestError):
    """The body says that it is a form, and is none."""

    status, code, title = 400, "invalid-form", "The body is not a valid form"


class InvalidHeader(RequestError):
    """A header does not say what it should."""

    status, code, title = 400, "invalid-header", "A request header is not valid"


class Unauthorized(RequestError):
    """A key is missing or wrong."""

    status, code, title = 401, "unauthorized", "A valid key is needed"


class InvalidQuery(RequestError):
    """A query parameter is not what it is to be."""

    status, code, title = 400, "invalid-query", "A query parameter is invalid"


class IdempotencyKeyMissing(RequestError):
    """A job has to have a key, so that its client can ask again."""

    status, code, title = 400, "idempotency-key-required", "An Idempotency-Key is needed"


class Forbidden(RequestError):
    """The key is valid; its holder may not do this."""

    status, code, title = 403, "forbidden", "This key may not be used here"


class NotFound(RequestError):
    """Nothing lives at this path, or nothing has this id."""

    status, code, title = 404, "not-found", "Not found"


class MethodNotAllowed(RequestError):
    """The path exists; the method does not."""

    status, code, title = 405, "method-not-allowed", "Method not allowed here"


class ClientTooSlow(RequestError):
    """Headers or body did not arrive in time."""

    status, code, title = 408, "client-too-slow", "The request arrived too slowly"


class JobFinished(RequestError):
    """The job has ended."""

    status, code, title = 409, "job-finished", "The job has ended"


class JobUnfinished(RequestError):
    """The job has not ended yet."""

    status, code, title = 409, "job-not-finished", "The job has not ended"


class JobGone(RequestError):
    """The job has ended, and its result is not kept any longer."""

    status, code, title = 410, "job-expired", "The job is not kept any longer"


class JobCanceled(RequestError):
    """The job was canceled."""

    status, code, title = 409, "job-canceled", "The job was canceled"


class JobExpired(RequestError):
    """The job did not begin in time."""

    status, code, title = 504, "job-not-started", "The job did not begin in time"


class PayloadTooLarge(RequestError):
    """The body is over the limit."""

    status, code, title = 413, "payload-too-large", "The body is too large"


class UnsupportedMediaType(RequestError):
    """The body is of a type that the endpoint does not read."""

    status, code, title = 415, "unsupported-media-type", "Unsupported media type"


class InvalidInput(RequestError):
    """The body is JSON but not what the endpoint's request model asks for."""

    status, code, title = (422, "invalid-input", "The input does not match the request schema")


class IdempotencyKeyReused(RequestError):
    """The key was used for another request."""

    status, code, title = 422, "idempotency-key-reused", "The Idempotency-Key was used before"


class RateLimited(RequestError):
    """More jobs are handed in than are accepted in the time."""

    status, code, title = 429, "rate-limited", "Too many jobs"


class TooManyRequests(RequestError):
    """One connection has sent more requests than it has taken answers."""

    status, code, title = 429, "too-many-requests", "Too many requests on one connection"


class HeadersTooLarge(RequestError):
    """The header block is over the limit."""

    status, code, title = 431, "headers-too-large", "The request headers are too large"


class InternalError(RequestError):
    """A fault of the runtime itself."""


class PredictFailed(RequestError):
    """The owner's ``predict`` raised; its words stay in the log."""

    status, code, title = 500, "predict-failed", "The model failed on this request"


class InvalidResult(RequestError):
    """``predict`` returned something that is not the response model, or not JSON."""

    status, code, title = (500, "invalid-result", "The model's result is not a valid response")


class UnsupportedCoding(RequestError):
    """The body is sent in a transfer coding other than chunked."""

    status, code, title = (501, "unsupported-transfer-encoding", "Transfer coding not implemented")


class Loading(RequestError):
    """No worker of the endpoint has finished loading yet."""

    status, code, title = 503, "loading", "The endpoint is still loading"


class QueueFull(RequestError):
    """The endpoint's queue is at its bound."""

    status, code, title = 503, "queue-full", "The endpoint's queue is full"


class StorageFull(RequestError):
    """Jobs cannot be written at the moment."""

    status, code, title = 503, "storage-full", "Jobs cannot be stored"


class StorageDamaged(StorageFull):
    """The store of jobs is damaged; somebody has to mend it."""

    status, code, title = 503, "storage-damaged", "The job store is damaged"


class TooManyConnections(RequestError):
    """The service holds as many connections as it may."""

    status, code, title = 503, "too-many-connections", "Too many connections"


class WebhookUrlNotChecked(RequestError):
    """Too many names are being looked up; nothing is known of this one."""

    status, code, title = 503, "webhook-url-not-checked", "The Webhook-Url cannot be checked now"


class WorkerDied(RequestError):
    """The worker that held the request died."""

    status, code, title = 503, "worker-died", "The worker died"


class Draining(RequestError):
    """The service is shutting down."""

    status, code, title = 503, "draining", "The service is shutting down"


class DeadlineExceeded(RequestError):
    """The endpoint's ``timeout_s`` has passed."""

    status, code, title = 504, "timeout", "The request timed out"


class Hopeless(RequestError):
    """Less time is left than a run takes."""

    status, code, title = (504, "no-time-left", "Too little time was left to run the request")


class RunTooLong(RequestError):
    """A run took longer than ``run_limit_s``, and was stopped."""

    status, code, title = 504, "run-too-long", "The run took too long"


class OutOfMemory(RequestError):
    """The device has too little memory for the request, or for its batch where that must not run in parts."""

    status, code, title = 500, "out-of-memory", "The device has too little memory"


class CannotStore(RequestError):
    """A large body cannot be written to disk."""

    status, code, title = 507, "cannot-store", "The body could not be stored"


class KillsWorkers(RequestError):
    """Workers die of this request."""

    status, code, title = (500, "kills-workers", "The model's worker dies of this request")


class WebhookUrlRejected(RequestError):
    """Webhooks are off, or not sent there."""

    status, code, title = 422, "webhook-url-rejected", "The Webhook-Url is not called"


class Quarantined(RequestError):
    """The same body has killed workers a while ago."""

    status, code, title = 422, "quarantined", "This request has killed workers"


class HTTPError(RequestError):
    """Raise (or return in an item's place in a batch) to answer with a status of your own.

    Args:
        status: 400 to 599.
        detail: what the client reads.
        headers: extra response headers; those that frame the message are refused.

    Raises:
        ValueError: a status or a header that cannot be sent.
    """

    code = "error"

    def __init__(self, status: int, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        expect_sendable(status, headers or {})
        super().__init__(str(detail), headers)
        self.status = int(status)
        self.title = phrase_of(self.status)
