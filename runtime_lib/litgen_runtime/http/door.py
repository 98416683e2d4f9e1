"""Where one endpoint's requests come in: what is checked before they queue, and what their clients are told.

A small request whose bytes came all at once takes the short way (``lane.py``): ``submit``, then ``answer``. Any other
comes through ASGI, which is ``__call__``, and does the same with its body still to come.
"""

from __future__ import annotations

import logging
import re
import time
from functools import partial
from math import inf

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.dispatcher.ticket import Ticket
from litgen_runtime.errors import InternalError, InvalidHeader, Loading, MethodNotAllowed, RequestError
from litgen_runtime.http.body import ClientGone, Reader
from litgen_runtime.http.gate import Gate
from litgen_runtime.http.lifecycle import Lifecycle
from litgen_runtime.http.messages import (
    Answer,
    Head,
    Receive,
    Scope,
    Send,
    head_of,
    new_request_id,
    problem,
    send_answer,
)
from litgen_runtime.http.timeout_log import TimeoutLog
from litgen_runtime.transport.bodies import SpooledBody

log = logging.getLogger(__name__)

_NUMBER = re.compile(rb"\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+")
_EXPECTED = frozenset(  # by design, and as many as there are clients
    {"loading", "queue-full", "draining", "webhook-url-not-checked"}
)


class Call:
    """One request of a client.

    Args:
        head: what its headers say.
        arrived: when they were complete, CLOCK_MONOTONIC seconds.
    """

    principal: str | None = None  # whose key it came with; None where none is needed

    def __init__(self, head: Head, arrived: float) -> None:
        self.head = head
        self.arrived = arrived
        self.request_id = head.request_id or new_request_id()

    def __str__(self) -> str:
        """How the log names it."""
        whose = f" of {self.principal}" if self.principal else ""
        return f"request {self.request_id.decode()}{whose}"


class Door:
    """One endpoint's.

    Args:
        dispatcher: the endpoint's queue.
        reader: how its bodies are taken.
        lifecycle: where the service stands.
        answer_type: the media type of its results.
        gate: who may come in; None: everybody.
    """

    selects = False  # whether the short way is not for every request

    def __init__(
        self,
        dispatcher: Dispatcher,
        reader: Reader,
        lifecycle: Lifecycle,
        answer_type: str = "application/json",
        gate: Gate | None = None,
    ) -> None:
        self.gate = gate
        self._name = dispatcher.name
        self._dispatcher = dispatcher
        self._reader = reader
        self._lifecycle = lifecycle
        self._answer_type = answer_type.encode("latin-1")
        self._timeouts = TimeoutLog(dispatcher.name, dispatcher.stats)

    def takes(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether a request with these headers may take the short way; asked only where ``selects``."""
        return True

    def submit(self, call: Call, body: bytes) -> Ticket:
        """Queue a request that is all there. Once its ticket has an outcome, ``answer`` has to follow.

        Raises:
            RequestError: it is refused. An owner's validator may raise anything else.
        """
        self._lifecycle.enter()
        try:
            at_most_s = inf if call.head.timeout is None else own_limit_s(call.head)
            taken = self._reader.take(call.head, body)
            admit(self._lifecycle, self._name)
            return self._dispatcher.submit(taken, call.arrived, at_most_s)
        except BaseException:
            self._lifecycle.leave()
            raise

    def answer(self, call: Call, ticket: Ticket) -> Answer | None:
        """Return what the client is told of an outcome; None when there is no client any more."""
        self._lifecycle.leave()
        try:
            return self._answer(call, ticket)
        except ClientGone as gone:
            release(gone)
            return None
        except RequestError as error:
            return self.refuse(call, error)

    def abandon(self, ticket: Ticket) -> None:
        """The client is gone."""
        self._dispatcher.abandon(ticket, ClientGone())

    def refuse(self, call: Call, error: BaseException) -> Answer:
        """Return what a client is told that gets no result; it is logged and counted."""
        if not isinstance(error, RequestError):
            log.error("%s: %s failed inside the runtime", self._name, call, exc_info=error)
            error = InternalError("The service failed on this request.")
        self._note(call, error)
        release(error)
        return problem(error, call.request_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens to it."""
        call = Call(head_of(scope["headers"]), time.monotonic())
        try:
            if scope["method"] != "POST":
                raise MethodNotAllowed(f"{scope['path']} answers POST.", {"Allow": "POST"})
            if self.gate is not None:
                call.principal = self.gate.admit(scope["headers"])
            answer = await self._serve(call, scope, receive, send)
        except ClientGone:
            return
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an owner's validator may raise even that
            answer = self.refuse(call, error)
        if answer is not None:
            await send_answer(send, answer, call.request_id)

    async def _serve(self, call: Call, scope: Scope, receive: Receive, send: Send) -> Answer | None:
        at_most_s = own_limit_s(call.head)
        self._lifecycle.enter()
        try:
            self._reader.admit()
            body = await self._reader.read(receive, call.head, at_most_s, scope.get("litgen.gathered"))
            try:
                admit(self._lifecycle, self._name)
                ticket = self._dispatcher.submit(body, call.arrived, at_most_s)
                connection = scope.get("litgen.connection")
                if connection is not None:
                    connection.on_lost = partial(self.abandon, ticket)
                try:
                    return await self._outcome(call, ticket, scope, send)
                finally:
                    if connection is not None:
                        connection.on_lost = None
            finally:
                if isinstance(body, SpooledBody):
                    body.discard()
        finally:
            self._lifecycle.leave()

    async def _outcome(self, call: Call, ticket: Ticket, scope: Scope, send: Send) -> Answer | None:
        """Return what the client is told in the end; None if it has been told."""
        await ticket.wait()
        return self._answer(call, ticket)

    def _answer(self, call: Call, ticket: Ticket) -> Answer:
        result = ticket.result()
        if result.status != 200:
            raise RequestError.from_json(result.body)
        self._dispatcher.stats.answered(200, time.monotonic() - call.arrived)
        return Answer(200, self._answer_type, result.body)

    def _note(self, call: Call, error: RequestError) -> None:
        now = time.monotonic()
        if error.log:
            log.error("%s: %s: %s", self._name, call, error.log)
        elif error.status == 504:
            self._timeouts.note(call.request_id.decode(), error, now)
        elif error.status >= 500 and error.code not in _EXPECTED:
            log.warning("%s: %s: %s: %s", self._name, call, error.code, error.detail)
        self._dispatcher.stats.answered(error.status, now - call.arrived)
        self._dispatcher.stats.refusals[error.code] += 1


def release(error: BaseException) -> None:
    """Forget where an error was raised: a ticket that holds it would hold itself, and its body, until a collection."""
    error.__traceback__ = None


def admit(lifecycle: Lifecycle, name: str) -> None:
    """Refuse requests for an endpoint that has never been ready; later on they queue for a replacement.

    Raises:
        Loading: no worker of it has finished loading yet.
    """
    if not lifecycle.has_served(name):
        waiting = "; ".join(lifecycle.missing(name))
        raise Loading(f"{name} is still loading: {waiting}. Retry shortly.", {"Retry-After": "1"})


def own_limit_s(head: Head) -> float:
    """Return how long a client itself will wait, by X-Request-Timeout, in seconds.

    Raises:
        InvalidHeader: that is no such number.
    """
    text = head.timeout
    if text is None:
        return inf
    seconds = float(text) if _NUMBER.fullmatch(text) else 0.0
    if seconds <= 0:
        shown = text[:40].decode("latin-1")
        raise InvalidHeader(f"X-Request-Timeout is {shown!r}; expected seconds, more than 0, such as 2.5.")
    return seconds
