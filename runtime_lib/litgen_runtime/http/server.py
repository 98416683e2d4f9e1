"""uvicorn, with the time limits and the manners towards slow clients that it does not have by itself."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from litgen_runtime.errors import ClientTooSlow, Draining, HeadersTooLarge, InvalidJSON, RequestError, TooManyRequests
from litgen_runtime.http.messages import App, request_id_of
from litgen_runtime.settings import ServiceSettings

_MAX_HEADER_BYTES = 65_536
_MAX_PIPELINED = 64
_SWEEP_TICKS = 5  # of uvicorn's ten a second
_FLUSH_S = 2
_FLUSH_POLL_S = 0.05
_KEEP_ALIVE_S = 65  # longer than load balancers hold an idle connection (60 s), so that they close first


class TimedProtocol(HttpToolsProtocol):
    """One connection that knows since when it waits for the client, and for what."""

    waits_for: str | None = "headers"  # headers, body
    waits_since = 0.0
    on_lost: Callable[[], None] | None = None  # told when the client leaves before it has its answer
    _unread_since: float | None = None
    _header_bytes = 0
    _answering: RequestResponseCycle | None = None  # the oldest request without an answer
    _last_words: RequestError | None = None  # to be said once everything before is answered
    _upgrading = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for("headers")

    def data_received(self, data: bytes) -> None:
        """Take bytes; a header block without an end is refused, an offer of another protocol ignored."""
        if self._last_words is not None:
            return
        self._unset_keepalive_if_required()
        if self.waits_for is not None:
            self._header_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._upgrading:
                self._decline_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("")
        if self.waits_for is None and not self.transport.is_closing() and self.cycle.response_complete:
            self._wait_for("headers")  # bytes that begin no request, such as an empty line
        if self.waits_for is not None and self._header_bytes > _MAX_HEADER_BYTES:
            self.refuse(_headers_too_large())

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
        self.eof_received()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Wait for the headers of the next request on this connection."""
        super().on_message_begin()
        self.scope["litgen.connection"] = self  # type: ignore[typeddict-unknown-key]  # for the door
        self._wait_for("headers")

    def on_headers_complete(self) -> None:
        """Wait for the body."""
        self._upgrading = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if self._upgrading:
            return
        if len(self.pipeline) >= _MAX_PIPELINED:
            self.refuse(_too_many_pipelined())
            raise ValueError  # ends the parser
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > _MAX_HEADER_BYTES:
            self.refuse(_headers_too_large())
            raise ValueError  # ends the parser
        super().on_headers_complete()
        self._wait_for("body")
        self._header_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer is dropped (RFC 9110, 6.5.1)."""
        if self.waits_for == "headers":
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; what comes between pieces, or behind the last, counts as headers do."""
        self._header_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for nothing: it is our turn."""
        if not self._upgrading:
            self.waits_for = None
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the client to read what we wrote, or for what it began to send meanwhile."""
        super().on_response_complete()
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
        waits_for = self.waits_for
        if waits_for is not None and now - self.waits_since >= limits[waits_for] and not self._behind():
            limit = f"{limits[waits_for]:g} s"
            self.refuse(ClientTooSlow(f"The request's {waits_for} did not arrive within {limit}. Send faster."))

    def progressed(self) -> None:
        """The client takes what is written: its time for that begins anew."""
        self._unread_since = None

    def refuse(self, error: RequestError) -> None:
        """Answer outside of the app, where there is no whole request, and close."""
        if self.transport.is_closing():
            return
        if self._behind():
            self._last_words = self._last_words or error
            self.flow.pause_reading()
            return
        if self.waits_for != "body" or not self.cycle.response_started:
            request_id = request_id_of(None)
            body = error.problem(request_id.decode())
            head = (
                f"HTTP/1.1 {error.status} {error.title}\r\ncontent-type: application/problem+json\r\n"
                f"content-length: {len(body)}\r\nx-request-id: {request_id.decode()}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.eof_received()
        self.waits_for = None
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        error = InvalidJSON("This is not a valid HTTP/1.1 request. Use an HTTP client.")
        error.code, error.title = "invalid-http", "Bad request"
        self.refuse(error)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
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


def _too_many_pipelined() -> TooManyRequests:
    return TooManyRequests(f"More than {_MAX_PIPELINED} requests wait on this connection. Read the answers first.")


def _headers_too_large() -> HeadersTooLarge:
    return HeadersTooLarge(f"The headers are larger than {_MAX_HEADER_BYTES} bytes. Send less.")


class Server(uvicorn.Server):
    """uvicorn's server, told by the supervisor when to end instead of by signals.

    Args:
        app: the ASGI app.
        settings: the time limits.
        on_listening: called once connections are taken.
    """

    def __init__(self, app: App, settings: ServiceSettings, on_listening: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=TimedProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_FLUSH_S,
            )
        )
        self._on_listening = on_listening
        self._limits = {
            "headers": settings.header_timeout_s,
            "body": settings.body_timeout_s,
            "reading": settings.body_timeout_s,
        }

    def cut(self) -> int:
        """Answer ``draining`` to every request whose body has not come; return how many that were."""
        coming = [c for c in self._connections() if c.waits_for == "body" and not c.cycle.response_complete]
        for connection in coming:
            detail = "The service stopped before this request was complete: its drain time was over. Retry elsewhere."
            connection.refuse(Draining(detail))
        return len(coming)

    def _connections(self) -> list[TimedProtocol]:
        return [connection for connection in self.server_state.connections if isinstance(connection, TimedProtocol)]

    async def flushed(self, timeout_s: float) -> None:
        """Wait until clients have taken what was written for them, or the time is over."""
        deadline = time.monotonic() + timeout_s
        while any(c.transport.get_write_buffer_size() for c in self.server_state.connections):
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(_FLUSH_POLL_S)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signals."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._on_listening()

    async def on_tick(self, counter: int) -> bool:
        """Twice a second, look for clients that let us wait."""
        if counter % _SWEEP_TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in self._connections():
                connection.sweep(now, self._limits)
        return await super().on_tick(counter)
