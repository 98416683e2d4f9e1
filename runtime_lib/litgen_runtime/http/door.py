"""The hot path: one endpoint's requests, from headers complete to the answer."""

from __future__ import annotations

import logging
import time
from functools import partial
from math import inf, nan
from typing import Any

from pydantic import TypeAdapter, ValidationError

from litgen_runtime.dispatcher.dispatcher import Dispatcher
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
from litgen_runtime.transport.frames import Result
from litgen_runtime.validation import refusal

log = logging.getLogger(__name__)

_CHECKED_BYTES = 65_536
_EXPECTED = frozenset({"loading", "queue-full", "draining"})  # by design, and as many as there are clients


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
        self._adapter: TypeAdapter[Any] = TypeAdapter(request)
        self._lifecycle = lifecycle
        self._limit = max_json_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens to it."""
        arrived = time.monotonic()
        head = head_of(scope)
        try:
            body = await self._predict(scope, receive, head, arrived)
        except ClientGone:
            return
        except RequestError as error:
            await self._refuse(send, error, head.request_id, arrived)
        except (Exception, SystemExit):  # an owner's validator may raise even that
            log.exception("%s: request %s failed inside the runtime", self._dispatcher.name, head.request_id.decode())
            failure = InternalError("The service failed on this request.")
            await self._refuse(send, failure, head.request_id, arrived)
        else:
            self._dispatcher.stats.answered(200, time.monotonic() - arrived)
            await send_json(send, 200, body, head.request_id)

    async def _predict(self, scope: Scope, receive: Receive, head: Head, arrived: float) -> bytes:
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
            body = await read_body(receive, head.content_length, self._limit)
            self._check(body)
            if not self._lifecycle.has_served(self._dispatcher.name):
                self._refuse_while_loading()
            result = await self._run(body, arrived, at_most_s, scope.get("litgen.connection"))
        finally:
            self._lifecycle.leave()
        if result.status != 200:
            raise RequestError.from_json(result.body)
        return result.body

    async def _run(self, body: bytes, arrived: float, at_most_s: float, connection: Any) -> Result:
        ticket = self._dispatcher.submit(body, arrived, at_most_s)
        if connection is None:
            return await ticket.answer
        connection.on_lost = partial(self._dispatcher.abandon, ticket, ClientGone())
        try:
            return await ticket.answer
        finally:
            connection.on_lost = None

    async def _refuse(self, send: Send, error: RequestError, request_id: bytes, arrived: float) -> None:
        if error.log:
            log.error("%s: request %s: %s", self._dispatcher.name, request_id.decode(), error.log)
        elif error.status >= 500 and error.code not in _EXPECTED:
            log.warning("%s: request %s: %s: %s", self._dispatcher.name, request_id.decode(), error.code, error.detail)
        self._dispatcher.stats.answered(error.status, time.monotonic() - arrived)
        self._dispatcher.stats.refusals[error.code] += 1
        await send_problem(send, error, request_id)

    def _refuse_while_loading(self) -> None:
        name = self._dispatcher.name
        waiting = "; ".join(self._lifecycle.missing(name))
        raise Loading(f"{name} is still loading: {waiting}. Retry shortly.", {"Retry-After": "1"})

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
