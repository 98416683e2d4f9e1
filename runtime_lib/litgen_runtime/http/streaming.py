"""The answers of a ``StreamEndpoint``: server-sent events, or one JSON document a line."""

from __future__ import annotations

import time
from dataclasses import dataclass

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.dispatcher.feed import Feed
from litgen_runtime.dispatcher.ticket import Ticket
from litgen_runtime.errors import RequestError
from litgen_runtime.http.body import Reader
from litgen_runtime.http.door import Call, Door
from litgen_runtime.http.gate import Gate
from litgen_runtime.http.lifecycle import Lifecycle
from litgen_runtime.http.messages import Answer, Scope, Send, header
from litgen_runtime.transport.frames import cost_of


@dataclass(frozen=True)
class Format:
    """How items become bytes. ``keep_alive`` is what may be sent in between."""

    content_type: bytes
    before: bytes
    after: bytes
    error_before: bytes
    error_after: bytes
    keep_alive: bytes

    def items(self, items: list[bytes]) -> bytes:
        """Return items, each a JSON document, as they go out."""
        return self.before + (self.after + self.before).join(items) + self.after

    def error(self, problem: bytes) -> bytes:
        """Return the last thing that a failed stream says."""
        return self.error_before + problem + self.error_after


EVENTS = Format(b"text/event-stream; charset=utf-8", b"data: ", b"\n\n", b"event: error\ndata: ", b"\n\n", b":\n\n")
"""Source: WHATWG HTML, 9.2.6 (a line that begins with a colon is a comment)."""

LINES = Format(b"application/x-ndjson", b"", b"\n", b'{"error": ', b"}\n", b"")

_LINES_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl")


def chosen(accept: bytes | None) -> Format:
    """Return the format that an Accept header prefers; events where it does not say (RFC 9110, 12.5.1)."""
    weights: dict[str, float] = {}
    for part in (accept or b"").decode("latin-1").lower().split(","):
        essence, *parameters = (word.strip() for word in part.split(";"))
        weights[essence] = _weight(parameters)
    lines = max((weights.get(name, 0.0) for name in _LINES_TYPES), default=0.0)
    events = weights.get("text/event-stream")
    preferred = lines > events if events is not None else lines > 0.0 and lines >= weights.get("*/*", 0.0)
    return LINES if preferred else EVENTS


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


class StreamDoor(Door):
    """Where requests of one ``StreamEndpoint`` come in.

    Args:
        dispatcher: the endpoint's queue.
        reader: how its bodies are taken.
        lifecycle: where the service stands.
        keep_alive_s: after so much silence, in seconds, a comment keeps the connection alive; None never does.
        gate: who may come in; None: everybody.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        reader: Reader,
        lifecycle: Lifecycle,
        keep_alive_s: float | None,
        gate: Gate | None = None,
    ) -> None:
        super().__init__(dispatcher, reader, lifecycle, gate=gate)
        self._keep_alive_s = keep_alive_s

    async def _outcome(self, call: Call, ticket: Ticket, scope: Scope, send: Send) -> Answer | None:
        """Send the items as they come; what fails before the first one is a status."""
        feed = ticket.feed
        if feed is None:
            raise TypeError("the ticket is no stream's")
        ticket.on_done = feed.wake
        try:
            while not feed.began and ticket.is_open:
                await feed.wait()
            if not feed.began and ticket.result().status != 200:
                return self._answer(call, ticket)
            self._dispatcher.stats.first_item_s.observe(time.monotonic() - call.arrived)
            await self._stream(call, ticket, feed, scope, send)
        finally:
            self.abandon(ticket)
        return None

    async def _stream(self, call: Call, ticket: Ticket, feed: Feed, scope: Scope, send: Send) -> None:
        form = chosen(header(scope, b"accept"))
        connection = scope.get("litgen.connection")
        await send({"type": "http.response.start", "status": 200, "headers": _headers(form, call.request_id)})
        while ticket.is_open or feed.has_items:
            items = feed.take()
            text = form.items(items) if items else form.keep_alive
            if text:
                await send({"type": "http.response.body", "body": text, "more_body": True})
            if connection is not None:
                connection.progressed()
            self._dispatcher.taken(ticket, sum(map(cost_of, items)))
            if ticket.is_open and not feed.has_items:
                await feed.wait(self._keep_alive_s)
        await send({"type": "http.response.body", "body": self._last(call, ticket, form)})

    def _last(self, call: Call, ticket: Ticket, form: Format) -> bytes:
        """Return how the stream ends: a failure is an event, never a clean end."""
        try:
            self._answer(call, ticket)
        except RequestError as error:
            return form.error(self.refuse(call, error).body)
        return b""


def _headers(form: Format, request_id: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", form.content_type),
        (b"cache-control", b"no-cache"),
        (b"x-accel-buffering", b"no"),  # nginx passes events on at once
        (b"x-request-id", request_id),
    ]
