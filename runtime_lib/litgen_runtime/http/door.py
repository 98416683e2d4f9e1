"""The hot path: one endpoint's requests, from headers complete to the answer."""

from __future__ import annotations

import logging
import re
import time
from functools import partial
from math import inf
from typing import Any

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.errors import (
    InternalError,
    InvalidHeader,
    Loading,
    MethodNotAllowed,
    RequestError,
)
from litgen_runtime.http.body import ClientGone, Reader
from litgen_runtime.http.lifecycle import Lifecycle
from litgen_runtime.http.messages import Head, Receive, Scope, Send, head_of, send_body, send_problem
from litgen_runtime.transport.bodies import SpooledBody
from litgen_runtime.transport.frames import Result

log = logging.getLogger(__name__)

_NUMBER = re.compile(rb"\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+")
_EXPECTED = frozenset({"loading", "queue-full", "draining"})  # by design, and as many as there are clients


class Door:
    """Where requests of one endpoint come in.

    Args:
        dispatcher: the endpoint's queue.
        reader: how its bodies are taken.
        lifecycle: where the service stands.
        answer_type: the media type of its results.
    """

    def __init__(
        self, dispatcher: Dispatcher, reader: Reader, lifecycle: Lifecycle, answer_type: str = "application/json"
    ) -> None:
        self._dispatcher = dispatcher
        self._reader = reader
        self._lifecycle = lifecycle
        self._answer_type = answer_type.encode("latin-1")

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
            await send_body(send, 200, body, head.request_id, self._answer_type)

    async def _predict(self, scope: Scope, receive: Receive, head: Head, arrived: float) -> bytes:
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"{scope['path']} answers POST.", {"Allow": "POST"})
        at_most_s = inf if head.timeout is None else _seconds(head.timeout)
        self._lifecycle.enter()
        try:
            connection = scope.get("litgen.connection")
            here = connection is None or connection.waits_for is None
            body = await self._reader.read(receive, head, at_most_s, here=here)
            try:
                admit(self._lifecycle, self._dispatcher.name)
                result = await self._run(body, arrived, at_most_s, connection)
            finally:
                if isinstance(body, SpooledBody):
                    body.discard()
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


def admit(lifecycle: Lifecycle, name: str) -> None:
    """Refuse requests for an endpoint that has never been ready; later on they queue for a replacement.

    Raises:
        Loading: no worker of it has finished loading yet.
    """
    if not lifecycle.has_served(name):
        waiting = "; ".join(lifecycle.missing(name))
        raise Loading(f"{name} is still loading: {waiting}. Retry shortly.", {"Retry-After": "1"})


def _seconds(text: bytes) -> float:
    """Read X-Request-Timeout."""
    seconds = float(text) if _NUMBER.fullmatch(text) else 0.0
    if seconds <= 0:
        shown = text[:40].decode("latin-1")
        raise InvalidHeader(f"X-Request-Timeout is {shown!r}; expected seconds, more than 0, such as 2.5.")
    return seconds
