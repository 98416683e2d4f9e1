"""Calls, and jobs that are handed in, waited for and fetched."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from math import inf
from urllib.parse import quote

from litgen_runtime.client.errors import ClientError, NotInTime, Refused, Unreachable
from litgen_runtime.client.replies import Answer, Job
from litgen_runtime.client.retries import insisted
from litgen_runtime.client.wire import address_of, exchange, expect_path, expect_value

_LOOK_S = 0.25
_POLL_S = 20.0
_MARGIN_S = 10.0


class Client:
    """A service that litgen has made.

    What the service turns away for now (429; 503 with ``Retry-After``) is asked for again when it wishes. A request
    whose connection broke is made again only where it may be done twice: one that reads, a job (by its key), and a
    call that says so.

    Args:
        url: where it is, such as ``http://127.0.0.1:8000``; a path in front of all others may follow.
        key: an API key; None: the service asks for none.
        timeout_s: how long nothing may come on a connection before it is given up, in seconds.
        retry_s: for how long a request is made again, in seconds; 0: never.

    Raises:
        ClientError: that is no such address, or no such key.
    """

    def __init__(self, url: str, key: str | None = None, *, timeout_s: float = 60.0, retry_s: float = 60.0) -> None:
        self.url = address_of(url)
        key = (key or "").strip()  # a key of a file ends with its line
        expect_value("key", key, is_secret=True)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout_s = timeout_s
        self._retry_s = retry_s

    def wait_ready(self, timeout_s: float = 600.0) -> None:
        """Wait until every endpoint can answer.

        Args:
            timeout_s: for how long, in seconds.

        Raises:
            NotInTime: it cannot yet; the message says what it last said.
            Refused: whoever answers there is no such service.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                exchange("GET", f"{self.url}/readyz", {}, None, min(self._timeout_s, max(timeout_s, 1.0)))
            except (Refused, Unreachable) as error:
                if isinstance(error, Refused) and error.status not in (502, 503):
                    raise
                if time.monotonic() + _LOOK_S > deadline:
                    raise NotInTime(f"{self.url} is not ready within {timeout_s:g} s: {_said(error)}") from None
            else:
                return
            time.sleep(_LOOK_S)

    def call(self, path: str, body: object, *, content_type: str | None = None, is_repeatable: bool = False) -> Answer:
        """Ask an endpoint and wait for its answer, also where the service makes a job of a call that takes long.

        Args:
            path: the endpoint's, such as ``/embed``.
            body: bytes as they are; a pydantic model, or whatever else, as JSON.
            content_type: of bytes; ``application/octet-stream`` unless given.
            is_repeatable: whether the model may run twice, so that a connection that breaks is no failure.

        Raises:
            Refused: the answer is an error.
            Unreachable: there is none.
        """
        content, media_type = _encoded(body, content_type)
        answer = self._ask("POST", path, content, {"Content-Type": media_type}, is_repeatable=is_repeatable)
        return self.result(_told(answer).id) if answer.status == 202 else answer

    def submit(
        self,
        path: str,
        body: object,
        *,
        key: str | None = None,
        content_type: str | None = None,
        webhook_url: str | None = None,
        webhook_events: str | Sequence[str] = "completed",
        start_within_s: float | None = None,
        cancel_after_s: float | None = None,
        retries: bool = True,
    ) -> Job:
        """Hand in a job: when this returns, the service has it on its disk.

        Args:
            path: of an endpoint that takes jobs.
            body: as in `call`.
            key: says which job it is: the same key is the same job, also from another process or tomorrow. One of its
                own unless given, so that it is one job however often it has to be sent.
            content_type: as in `call`.
            webhook_url: who is told what becomes of it.
            webhook_events: ``started``, ``completed``, or a list of both.
            start_within_s: it expires if it has not begun by then, in seconds.
            cancel_after_s: it is canceled then, in seconds.
            retries: whether it is tried again if it fails.

        Raises:
            Refused: it was not taken.
            Unreachable: nobody knows; submit it again with the same key.
            ClientError: the endpoint takes no jobs, and has answered the call.
        """
        content, media_type = _encoded(body, content_type)
        events = webhook_events if isinstance(webhook_events, str) else ", ".join(webhook_events)
        wishes = {
            "Webhook-Url": webhook_url,
            "Webhook-Events": events if webhook_url else None,
            "Job-TTL": None if start_within_s is None else str(start_within_s),
            "Cancel-After": None if cancel_after_s is None else str(cancel_after_s),
            "Job-Retry": None if retries else "none",
        }
        headers = {"Content-Type": media_type, "Prefer": "respond-async", "Idempotency-Key": key or uuid.uuid4().hex}
        headers |= {name: value for name, value in wishes.items() if value is not None}
        answer = self._ask("POST", path, content, headers, is_repeatable=True)
        if answer.status != 202:
            raise ClientError(f"{path} takes no jobs and has answered the call. Set jobs = true for its endpoint.")
        return _told(answer)

    def job(self, job_id: str, wait_s: float = 0.0) -> Job:
        """Return a job as it is now, or when it has ended.

        Args:
            job_id: which.
            wait_s: how long to wait for its end, in seconds; the service takes 60 at most.

        Raises:
            Refused: there is no such job.
            Unreachable: there is no answer.
        """
        return self._look(job_id, wait_s, max(self._timeout_s, wait_s + _MARGIN_S), self._retry_s)

    def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """Wait for a job's end, also while the service starts again.

        Args:
            job_id: which.
            timeout_s: for how long, in seconds; None: until it has ended.

        Raises:
            NotInTime: it has not ended.
            Refused: there is no such job.
            Unreachable: there was no answer for ``retry_s``, or until the time was over.
        """
        began = time.monotonic()
        while True:
            asked = time.monotonic()
            left_s = inf if timeout_s is None else max(0.0, began + timeout_s - asked)
            wait_s = min(left_s, _POLL_S)
            patience_s = min(max(self._timeout_s, wait_s + _MARGIN_S), left_s + _MARGIN_S)
            job = self._look(job_id, wait_s, patience_s, min(self._retry_s, left_s))
            if job.has_ended:
                return job
            if timeout_s is not None and time.monotonic() - began >= timeout_s:
                raise NotInTime(f"{job_id} is {job.status} after {timeout_s:g} s; wait longer, or cancel it.")
            if time.monotonic() - asked < _LOOK_S:
                time.sleep(_LOOK_S)  # a service that stops lets go of who waits

    def result(self, job_id: str, timeout_s: float | None = None) -> Answer:
        """Wait for a job's end and return what its call would have been answered with, byte for byte.

        Args:
            job_id: which.
            timeout_s: as in `wait`.

        Raises:
            Refused: it has none: it failed, was canceled or has expired.
            NotInTime: it has not ended.
            Unreachable: there is no answer.
        """
        job = self.wait(job_id, timeout_s)
        if job.status != "succeeded":
            problem = job.error or {"code": f"job-{job.status}", "detail": f"{job_id} was {job.status}: no result."}
            raise Refused(int(problem.get("status", 409)), problem)
        return self._ask("GET", f"/v1/jobs/{quote(job_id, safe='')}/result", is_repeatable=True)

    def cancel(self, job_id: str) -> Job:
        """Wish a job's end, and return it: ``canceled`` at once, on its way there, or as it had ended before.

        Raises:
            Refused: there is no such job.
            Unreachable: there is no answer.
        """
        try:
            answer = self._ask("POST", f"/v1/jobs/{quote(job_id, safe='')}/cancel", is_repeatable=True)
        except Refused as error:
            if error.code != "job-finished":
                raise
            return self.job(job_id)
        return _told(answer)

    def _look(self, job_id: str, wait_s: float, timeout_s: float, retry_s: float) -> Job:
        path = f"/v1/jobs/{quote(job_id, safe='')}" + (f"?wait={wait_s:.3f}" if wait_s else "")
        return _told(self._ask("GET", path, is_repeatable=True, timeout_s=timeout_s, retry_s=retry_s))

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        is_repeatable: bool,
        timeout_s: float | None = None,
        retry_s: float | None = None,
    ) -> Answer:
        expect_path(path)
        for name, value in (headers or {}).items():
            expect_value(name, value)
        sent, patience_s = {**self._headers, **(headers or {})}, timeout_s or self._timeout_s
        return insisted(
            lambda: exchange(method, self.url + path, sent, body, patience_s),
            is_repeatable=is_repeatable,
            retry_s=self._retry_s if retry_s is None else retry_s,
        )


def _encoded(body: object, content_type: str | None) -> tuple[bytes, str]:
    """A body's bytes and what they are."""
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body), content_type or "application/octet-stream"
    as_json = getattr(body, "model_dump_json", None)
    text: str = as_json() if callable(as_json) else json.dumps(body)
    return text.encode(), content_type or "application/json"


def _told(answer: Answer) -> Job:
    """The job that an answer is about."""
    try:
        return Job.of(answer.json())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ClientError(
            f"The answer, {answer.status}, tells of no job; expected that of a service with jobs. Correct the address."
        ) from None


def _said(error: Refused | Unreachable) -> str:
    """What a service that is not ready says it waits for."""
    waiting = error.problem.get("waiting_for") if isinstance(error, Refused) else None
    return f"it waits for {', '.join(map(str, waiting))}." if isinstance(waiting, list) and waiting else str(error)
