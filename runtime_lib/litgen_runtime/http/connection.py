"""One connection: uvicorn's, with the time limits and the manners towards slow clients that it has not by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from litgen_runtime.errors import (
    ClientTooSlow,
    RequestError,
    TooManyRequests,
)
from litgen_runtime.http.body import INLINE_BYTES, declared_size
from litgen_runtime.http.crowd import Crowd
from litgen_runtime.http.door import Door
from litgen_runtime.http.heads import MAX_HEADER_BYTES, headers_too_large, last_words, not_http, refusal_of
from litgen_runtime.http.lane import Exchange
from litgen_runtime.http.lanes import Lanes
from litgen_runtime.http.messages import Answer, Head, joined, request_id_of
from litgen_runtime.http.outlet import Outlet
from litgen_runtime.http.pieces import Gathered
from litgen_runtime.http.probes import PATHS

Headers: TypeAlias = list[tuple[bytes, bytes]]

_MAX_PIPELINED = 64
_LATE_S = 1.0  # for the headers of a connection beyond the bound
_PROBES = frozenset(path.encode() for path in PATHS)
_SILENT_S = 1.0  # after which a connection that has sent nothing at all gives its place to a newcomer
_KEEP_ALIVE_S = 65  # longer than load balancers hold an idle connection (60 s), so that they close first


class TimedProtocol(HttpToolsProtocol):
    """One connection that knows since when it waits for the client, and for what.

    Args:
        crowd: every connection, within its bound.
        lanes: the endpoints that may be reached without ASGI.
    """

    is_silent = True  # the client has sent nothing yet
    waits_for: str | None = "headers"  # headers, body
    waits_since = 0.0
    on_lost: Callable[[], None] | None = None  # told when the client leaves before it has its answer
    _idle_since: float | None = None
    _unread_since: float | None = None
    _header_bytes = 0
    _answering: RequestResponseCycle | Exchange | None = None  # the oldest request without an answer
    _lane: Door | None = None  # where the request goes that is being read, if the rest of it is here already
    _gathered: Gathered | None = None  # of a body that is small enough to be handed on whole, with one waking
    _began = False  # a request, with the latest bytes
    _last_words: RequestError | None = None  # to be said once everything before is answered
    _upgrading = False
    _first = b""  # what is being read, if a request begins with it
    _default_lines: list[tuple[bytes, bytes]] | None = None  # of every answer, as of now
    _default_head = b""
    _late = False  # came when there were as many connections as there may be

    def __init__(self, *args: Any, crowd: Crowd, lanes: Lanes, **options: Any) -> None:
        super().__init__(*args, **options)
        self._lanes = lanes
        self._crowd = crowd
        self._pieces: list[bytes] = []  # of the body that is being read on the short way

    @property
    def idle_since(self) -> float | None:
        """Since when the connection is open for nothing, in seconds of the loop's clock."""
        if self.is_silent and self.waits_for is not None and not self._late:
            return self.waits_since if self.loop.time() - self.waits_since > _SILENT_S else None
        if self.waits_for is not None or self.transport.get_write_buffer_size():
            return None  # it begins to ask, or has not taken its answer
        return self._idle_since

    def cut(self) -> None:
        """End the connection without a word."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._outlet = Outlet(transport, self._part)
        self._wait_for("headers")
        self._late = not self._crowd.enter(self, self.waits_since)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a header block without an end is refused, an offer of another protocol ignored."""
        if self._outlet.parted_at is not None:
            self._outlet.linger(len(data))
        elif self._last_words is None:
            begins = self.waits_for is None or self.is_silent  # nothing of the next request has been read
            way = self._lanes.way_of(data) if begins and self._is_free() else None
            if way is None:
                self._read(data, begins=begins)
            else:  # the parser has read this head before
                self.waits_for = None
                self.is_silent = False
                self._exchange(way.door, way.head, way.headers, data[way.start :], keep_alive=True)

    def _read(self, data: bytes, *, begins: bool = False) -> None:
        self._idle_since = None
        self.is_silent = False
        if self.waits_for is not None:
            self._header_bytes += len(data)
        self._began, waited_for = False, self.waits_for
        self._first = data if begins else b""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._upgrading:
                self._decline_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("")
        self._first = b""
        if self._lane is not None and not self._outlet.is_closing():
            self._leave_lane()
        if not (self.waits_for or self._began or self._outlet.is_closing()) and self.cycle.response_complete:
            if waited_for == "body":
                self._idle_since = self.loop.time()  # the rest of a request that was refused before
            else:
                self._wait_for("headers")  # bytes that begin no request, such as an empty line
        if self.waits_for is not None and self._header_bytes > MAX_HEADER_BYTES:
            self.refuse(headers_too_large())

    def eof_received(self) -> None:
        """Take the client's last byte for its leave: nobody is written to, and whoever works for it is told."""
        if self.on_lost is not None:
            self.on_lost()
        for cycle in (self._answering, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of every request, pipelined ones too."""
        self._crowd.leave(self)
        self.eof_received()
        super().connection_lost(exc)
        self._outlet.forget()

    def on_message_begin(self) -> None:
        """Wait for the headers of the next request on this connection."""
        self._began = True
        self.url, self.headers, self.expect_100_continue = b"", [], False
        self._wait_for("headers")

    def on_headers_complete(self) -> None:
        """Wait for the body."""
        self._upgrading = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if self._upgrading:
            return
        if self.transport.is_closing():
            raise ValueError  # ends the parser: nobody is answered any more
        refusal = self._refusal()
        if refusal is not None:
            self.refuse(refusal)
            raise ValueError  # ends the parser
        self._header_bytes = 0
        lane = self._lanes.door_at(self.url)
        if (
            lane is None
            or not (self._is_free() and self._is_plain())
            or (lane.selects and not lane.takes(self.headers))
        ):
            self._enter_asgi()
        else:
            self._lane, self._pieces = lane, []

    def _is_free(self) -> bool:
        """Whether a request could be answered now, and its answer written."""
        return (
            (self._answering is None or self.cycle.response_complete) and not self._late and not self.flow.write_paused
        )

    def _is_plain(self) -> bool:
        """Whether nothing about this request needs more than its headers, its bytes and an answer."""
        return (
            self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and not self.expect_100_continue
        )

    def _leave_lane(self) -> None:
        """The rest of the body is still to come: that is for ASGI."""
        body = self._taken()
        self._enter_asgi()
        if body:
            self.on_body(body)

    def _taken(self) -> bytes:
        """Take the body off the lane; an idle connection must not hold what came over it."""
        pieces, self._lane, self._pieces = self._pieces, None, []
        return b"".join(pieces)

    def _enter_asgi(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()  # makes the scope, and forgets what was read
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers
        self.scope["litgen.connection"] = self  # type: ignore[typeddict-unknown-key]  # for the door
        super().on_headers_complete()
        self.cycle.transport = self._outlet  # type: ignore[assignment]  # all that it asks of one
        if self._late:
            self.cycle.keep_alive = False
        self._gathered = None
        if self._lanes.door_at(self.url) is not None and declared_size(headers) <= INLINE_BYTES:
            self._gathered = Gathered()
            self.scope["litgen.gathered"] = self._gathered  # type: ignore[typeddict-unknown-key]  # for the door
        self._wait_for("body")

    def _refusal(self) -> RequestError | None:
        """Return why the app is not to see a request whose headers are complete."""
        if len(self.pipeline) >= _MAX_PIPELINED:
            return _too_many_pipelined()
        refusal = refusal_of(self.url, self.headers, self.parser.get_http_version())
        if refusal is not None:
            return refusal
        if self._late:
            self._late = not self._crowd.may_stay(self)
            if self._late and self.url.partition(b"?")[0] not in _PROBES:
                return self._crowd.refusal()
        return None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer is dropped (RFC 9110, 6.5.1)."""
        if self.waits_for == "headers" and self._lane is None:
            name = name.lower()
            value = value.rstrip(b" \t")  # Source: RFC 9110, 5.5; the parser strips what stands before
            self.headers.append((name, value))
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; what comes between pieces, or behind the last, counts as headers do."""
        self._header_bytes = 0
        if self._lane is not None:
            self._pieces.append(body)
        elif self._gathered is None:
            super().on_body(body)
        elif not self.cycle.response_complete:
            self._gather(self._gathered, body)

    def _gather(self, gathered: Gathered, piece: bytes) -> None:
        try:
            gathered.add(piece)
        except RequestError:  # what has come is handed on, to be refused there
            self._gathered = None
            self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        """Wait for nothing: it is our turn."""
        if self._upgrading:
            return
        self.waits_for = None
        if self._lane is None:
            super().on_message_complete()
            if self.flow.read_paused and self.cycle is self._answering:  # by a large body: its sender may leave
                self.flow.resume_reading()
            return
        lane, body, keep_alive = self._lane, self._taken(), self.parser.should_keep_alive()
        head = self._lanes.learn(self._first if keep_alive else b"", lane, self.headers, len(body))
        self._exchange(lane, head, self.headers, body, keep_alive=keep_alive)

    def _exchange(self, lane: Door, head: Head, headers: Headers, body: bytes, *, keep_alive: bool) -> None:
        self._idle_since = None
        exchange = Exchange(self, lane, head, keep_alive=keep_alive)
        self.cycle = self._answering = exchange  # type: ignore[assignment]  # it looks like one
        exchange.begin(headers, body)

    def respond(self, answer: Answer, request_id: bytes) -> None:
        """Write the answer of the request on the short way."""
        if self._default_lines is not self.server_state.default_headers:  # once a second
            self._default_lines = self.server_state.default_headers
            self._default_head = joined(self._default_lines)
        head = answer.head(request_id)
        if not self.cycle.keep_alive and "Connection" not in answer.headers:
            head += b"connection: close\r\n"
        self.transport.write(b"%b%b%b\r\n%b" % (STATUS_LINE[answer.status], self._default_head, head, answer.body))
        if not self.cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def on_response_complete(self) -> None:
        """Wait for the client to read what we wrote, or for what it began to send meanwhile."""
        self.server_state.total_requests += 1
        if isinstance(self._answering, RequestResponseCycle):
            _let_go(self._answering.scope)
        if self._outlet.parted_at is None and not self.transport.is_closing():
            if self.flow.read_paused:
                self.flow.resume_reading()
            if self.pipeline:
                self._start_asgi_task(*self.pipeline.pop())
            else:
                self._idle_since = self.loop.time()  # ``sweep`` looks at it: a timer for each answer is dear
        if self.waits_for is not None:
            self._wait_for(self.waits_for)
        if self._last_words is not None:
            self.refuse(self._last_words)

    def sweep(self, now: float, limits: dict[str, float]) -> None:
        """Cut a client that has been waited for too long."""
        if not self.transport.get_write_buffer_size():
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = now
        elif now - self._unread_since >= limits["reading"]:
            self.transport.abort()
            return
        self._outlet.sweep(now)
        waits_for = self.waits_for
        if waits_for is None:
            if self._idle_since is not None and now - self._idle_since >= _KEEP_ALIVE_S:
                self.transport.close()
            return
        limit_s = limits[waits_for]
        if self._late and waits_for == "headers":
            limit_s = min(limit_s, _LATE_S)
        if now - self.waits_since >= limit_s and not self._behind():
            self.refuse(ClientTooSlow(f"The request's {waits_for} did not arrive within {limit_s:g} s. Send faster."))

    def progressed(self) -> None:
        """The client takes what is written: its time for that begins anew."""
        self._unread_since = None

    def refuse(self, error: RequestError) -> None:
        """Answer outside of the app, where there is no whole request, and close."""
        if self._outlet.is_closing():
            return
        if self._behind():
            self._last_words = self._last_words or error
            self.flow.pause_reading()
            return
        if self.waits_for != "body" or not self.cycle.response_started:
            request_id = request_id_of(dict(self.headers).get(b"x-request-id") if self.waits_for == "body" else None)
            self.transport.write(last_words(error, request_id))
        self.eof_received()
        self._end()

    def shutdown(self) -> None:
        """End with the server."""
        if self._outlet.parted_at is not None:
            self.transport.close()
        else:
            super().shutdown()

    def _part(self) -> bool:
        """End behind an answer whose request is still being read."""
        is_reading = self.waits_for == "body"
        if is_reading and not self._outlet.is_closing():
            self._end()
        return is_reading

    def _end(self) -> None:
        self.waits_for = None
        self._idle_since = self.loop.time()  # when room is needed, its place is there
        self.is_silent = True
        self._outlet.part(self._idle_since)
        self.flow.resume_reading()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self.refuse(not_http("This is not a valid HTTP/1.1 request. Use an HTTP client."))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering, self._idle_since = cycle, None
        super()._start_asgi_task(cycle, app)

    def _behind(self) -> bool:
        """Whether the client's last bytes come behind a request that is still being answered."""
        if self._answering is None or self._answering.response_complete:
            return False
        return self.waits_for != "body" or self._answering is not self.cycle

    def _decline_upgrade(self, rest: bytes) -> None:
        """Read the request again without its offer of another protocol, after which the parser skips the body."""
        headers = b"".join(name + b": " + value + b"\r\n" for name, value in self.headers if name != b"upgrade")
        version = self.parser.get_http_version().encode()
        head = b"%s %s HTTP/%s\r\n%s\r\n" % (self.parser.get_method(), self.url, version, headers)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        self.data_received(head + rest)

    def _wait_for(self, what: str) -> None:
        self.waits_for = what
        self.waits_since = self.loop.time()


def _let_go(scope: Mapping[str, object]) -> None:
    """Forget the body of a request that has been answered: an idle connection must not hold what nobody took."""
    gathered = scope.get("litgen.gathered")
    if isinstance(gathered, Gathered):
        gathered.pieces.taken()


def _too_many_pipelined() -> TooManyRequests:
    return TooManyRequests(f"More than {_MAX_PIPELINED} requests wait on this connection. Read the answers first.")
