"""The hot path: one endpoint's requests, from headers complete to the answer."""

from __future__ import annotations

import logging
import time
from typing import Any

from pydantic import TypeAdapter, ValidationError

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.errors import InternalError, Loading, MethodNotAllowed, RequestError, UnsupportedMediaType
from litgen_runtime.http.body import ClientGone, read_body
from litgen_runtime.http.lifecycle import Lifecycle
from litgen_runtime.http.messages import Receive, Scope, Send, request_id_of, send_json, send_problem
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
        content_type = length = given_id = None
        for name, value in scope["headers"]:
            if name == b"content-type":
                content_type = value
            elif name == b"content-length":
                length = value
            elif name == b"x-request-id":
                given_id = value
        request_id = request_id_of(given_id)
        try:
            body = await self._predict(scope, receive, content_type, length, arrived)
        except RequestError as error:
            self._log(error, request_id)
            await send_problem(send, error, request_id)
        except ClientGone:
            return
        except (Exception, SystemExit):  # an owner's validator may raise even that
            log.exception("%s: request %s failed inside the runtime", self._dispatcher.name, request_id.decode())
            await send_problem(send, InternalError("The service failed on this request."), request_id)
        else:
            await send_json(send, 200, body, request_id)

    def _log(self, error: RequestError, request_id: bytes) -> None:
        if error.log:
            log.error("%s: request %s: %s", self._dispatcher.name, request_id.decode(), error.log)
        elif error.status >= 500 and error.code not in _EXPECTED:
            log.warning("%s: request %s: %s: %s", self._dispatcher.name, request_id.decode(), error.code, error.detail)

    async def _predict(
        self, scope: Scope, receive: Receive, content_type: bytes | None, length: bytes | None, arrived: float
    ) -> bytes:
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"{scope['path']} answers POST.", {"Allow": "POST"})
        self._lifecycle.enter()
        try:
            if content_type is not None and not _is_json(content_type):
                raise UnsupportedMediaType(
                    f"The body's type is {content_type.decode('latin-1')!r}; send it as application/json.",
                    {"Accept-Post": "application/json"},
                )
            body = await read_body(receive, length, self._limit)
            self._check(body)
            name = self._dispatcher.name
            if not self._lifecycle.has_served(name):
                waiting = "; ".join(self._lifecycle.missing(name))
                raise Loading(f"{name} is still loading: {waiting}. Retry shortly.", {"Retry-After": "1"})
            ticket = self._dispatcher.submit(body, arrived)
            result = await ticket.answer
        finally:
            self._lifecycle.leave()
        if result.status != 200:
            raise RequestError.from_json(result.body)
        return result.body

    def _check(self, body: bytes) -> None:
        """Refuse what the worker would refuse, before it takes a place in the queue; the worker judges large bodies."""
        if len(body) > _CHECKED_BYTES:
            return
        try:
            self._adapter.validate_json(body)
        except ValidationError as error:
            raise refusal(error) from None


def _is_json(content_type: bytes) -> bool:
    essence = content_type.split(b";", 1)[0].strip().lower()
    return essence == b"application/json" or (essence.startswith(b"application/") and essence.endswith(b"+json"))
