"""The hot path: one endpoint's requests, from headers complete to the answer."""

from __future__ import annotations

import logging
import time
from functools import partial
from math import inf, nan
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.dispatcher.ticket import Ticket
from litgen_runtime.errors import (
    InternalError,
    InvalidHeader,
    Loading,
    MethodNotAllowed,
    RequestError,
    UnsupportedMediaType,
)
from litgen_runtime.http.body import ClientGone, read_body
from litgen_runtime.http.lifecycle import Lifecycle
from litgen_runtime.http.messages import Head, Receive, Scope, Send, head_of, send_json, send_problem
from litgen_runtime.http.timeout_log import TimeoutLog
from litgen_runtime.transport.frames import Result
from litgen_runtime.validation import refusal

log = logging.getLogger(__name__)

_CHECKED_BYTES = 65_536
_EXPECTED = frozenset({"loading", "queue-full", "draining"})  # by design, and as many as there are clients


class Call(NamedTuple):
    """One request of a client. ``arrived``: when its headers were complete, CLOCK_MONOTONIC seconds."""

    scope: Scope
    receive: Receive
    send: Send
    head: Head
    arrived: float


class Door:
    """Where requests of one endpoint come in.

    Args:
        dispatcher: the endpoint's queue.
        request: its request type.
        lifecycle: where the service stands.
        max_json_bytes: the limit for a body.
    """

    def __init__(self, dispatcher: Dispatcher, request: Any, lifecycle: Lifecycle, max_json_bytes: int) -> None:
        self._dispatcher = dispatcher
        self._name = dispatcher.name
        self._timeouts = TimeoutLog(dispatcher.name, dispatcher.stats)
        self._adapter: TypeAdapter[Any] = TypeAdapter(request)
        self._lifecycle = lifecycle
        self._limit = max_json_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens to it."""
        arrived = time.monotonic()
        call = Call(scope, receive, send, head_of(scope), arrived)
        try:
            result = await self._predict(call)
            if result is None:
                return
            if result.status != 200:
                raise RequestError.from_json(result.body)
        except ClientGone:
            return
        except RequestError as error:
            await self._refuse(call, error)
        except (Exception, SystemExit):  # an owner's validator may raise even that
            log.exception("%s: request %s failed inside the runtime", self._name, call.head.request_id.decode())
            await self._refuse(call, InternalError("The service failed on this request."))
        else:
            self._dispatcher.stats.answered(200, time.monotonic() - arrived)
            await send_json(send, 200, result.body, call.head.request_id)

    async def _predict(self, call: Call) -> Result | None:
        scope, head = call.scope, call.head
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"{scope['path']} answers POST.", {"Allow": "POST"})
        at_most_s = inf if head.timeout is None else _seconds(head.timeout)
        self._lifecycle.enter()
        try:
            if head.content_type is not None and not _is_json(head.content_type):
                raise UnsupportedMediaType(
                    f"The body's type is {head.content_type.decode('latin-1')!r}; send it as application/json.",
                    {"Accept-Post": "application/json"},
                )
            body = await read_body(call.receive, head.content_length, self._limit)
            self._check(body)
            if not self._lifecycle.has_served(self._name):
                self._refuse_while_loading()
            ticket = self._dispatcher.submit(body, call.arrived, at_most_s)
            connection = scope.get("litgen.connection")
            if connection is None:
                return await self._result(call, ticket)
            connection.on_lost = partial(self._dispatcher.abandon, ticket, ClientGone())
            try:
                return await self._result(call, ticket)
            finally:
                connection.on_lost = None
        finally:
            self._lifecycle.leave()

    async def _result(self, call: Call, ticket: Ticket) -> Result | None:
        """Return the outcome; None when the client has been told of it already."""
        return await ticket.answer

    async def _refuse(self, call: Call, error: RequestError) -> None:
        self._note(call, error)
        await send_problem(call.send, error, call.head.request_id)

    def _note(self, call: Call, error: RequestError) -> None:
        """Log and count what a client gets instead of a result."""
        request_id = call.head.request_id.decode()
        if error.log:
            log.error("%s: request %s: %s", self._name, request_id, error.log)
        elif error.status == 504:
            self._timeouts.note(request_id, error, time.monotonic())
        elif error.status >= 500 and error.code not in _EXPECTED:
            log.warning("%s: request %s: %s: %s", self._name, request_id, error.code, error.detail)
        self._dispatcher.stats.answered(error.status, time.monotonic() - call.arrived)
        self._dispatcher.stats.refusals[error.code] += 1

    def _refuse_while_loading(self) -> None:
        waiting = "; ".join(self._lifecycle.missing(self._name))
        raise Loading(f"{self._name} is still loading: {waiting}. Retry shortly.", {"Retry-After": "1"})

    def _check(self, body: bytes) -> None:
        """Refuse what the worker would refuse, before it takes a place in the queue; the worker judges large bodies."""
        if len(body) > _CHECKED_BYTES:
            return
        try:
            self._adapter.validate_json(body)
        except ValidationError as error:
            raise refusal(error) from None


def _seconds(text: bytes) -> float:
    """Read X-Request-Timeout."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = nan
    if not 0 < seconds < inf:
        shown = text[:40].decode("latin-1")
        raise InvalidHeader(f"X-Request-Timeout is {shown!r}; expected seconds, more than 0, such as 2.5.")
    return seconds


def _is_json(content_type: bytes) -> bool:
    essence = content_type.split(b";", 1)[0].strip().lower()
    return essence == b"application/json" or (essence.startswith(b"application/") and essence.endswith(b"+json"))
