"""The load: a closed loop over kept-alive connections, cheap enough to leave the machine to the service."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, cast

import httptools

from litgen_runtime.bench.latencies import Latencies

_RETRY_S = 0.05
_ERROR_BYTES = 65_536
_STREAMS = (b"text/event-stream", b"application/x-ndjson")


class Tally:
    """What the clients have seen."""

    def __init__(self) -> None:
        self.latencies = Latencies()
        self.firsts = Latencies()  # until the first item of a stream
        self.recent = Latencies()  # since the last line of progress
        self.recent_items = 0
        self.failures: Counter[str] = Counter()  # by status and code
        self.details: dict[str, str] = {}  # what the first one of each said
        self.items = 0

    @property
    def failed(self) -> int:
        """Requests without a good answer."""
        return self.failures.total()


@dataclass(frozen=True)
class Target:
    """Where requests go.

    Args:
        host: a name or an address.
        port: of the service.
        tls: whether it speaks https.
        requests: whole HTTP/1.1 messages, sent in turn.
    """

    host: str
    port: int
    tls: bool
    requests: Sequence[bytes]


class Load:
    """Connections, each of which asks again as soon as it has its answer.

    Args:
        target: where to.
        connections: how many.
    """

    def __init__(self, target: Target, connections: int) -> None:
        self.tally = Tally()
        self._target = target
        self._requests = cycle(target.requests)
        self._open: set[Connection] = set()
        self._keeping = [asyncio.ensure_future(self._keep()) for _ in range(connections)]

    def counted(self) -> Tally:
        """Return what has been seen, and count anew."""
        tally, self.tally = self.tally, Tally()
        return tally

    async def stop(self) -> None:
        """Leave; what is under way counts nowhere."""
        self.counted()
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        for connection in list(self._open):
            connection.abort()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection = Connection(self, self._requests)
            try:
                await loop.create_connection(
                    lambda made=connection: made, self._target.host, self._target.port, ssl=self._target.tls or None
                )
            except OSError:
                self.tally.failures["no connection"] += 1
                await asyncio.sleep(_RETRY_S)
                continue
            self._open.add(connection)
            await connection.closed.wait()
            self._open.discard(connection)


class Connection(asyncio.Protocol):
    """One connection, one request at a time.

    Args:
        load: where its results count.
        requests: what it sends next.
    """

    def __init__(self, load: Load, requests: Iterator[bytes]) -> None:
        self.closed = asyncio.Event()
        self._load = load
        self._requests = requests
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._began = 0.0
        self._asked = self._broken = self._has_item = False
        self._status = 0
        self._error = self._mark = self._line = b""

    def abort(self) -> None:
        """Close it at once."""
        self._asked = False
        if self._transport:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Read on."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail("not HTTP/1.1")

    def connection_lost(self, exc: Exception | None) -> None:
        """Count what was under way as failed."""
        if self._asked:
            self._load.tally.failures["connection lost"] += 1
        self.closed.set()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note whether the answer is a stream."""
        if name.lower() == b"content-type":
            media_type = value.partition(b";")[0].strip().lower()
            self._mark = {_STREAMS[0]: b"data:", _STREAMS[1]: b"{"}.get(media_type, b"")

    def on_headers_complete(self) -> None:
        """Note the status."""
        self._status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        """Keep an error's document; count a stream's items."""
        if self._status >= 400:
            self._error = (self._error + body)[:_ERROR_BYTES]
        elif self._mark:
            lines = (self._line + body).split(b"\n")
            self._line = lines.pop()
            for line in lines:
                self._count(line)

    def on_message_complete(self) -> None:
        """Count the answer, and ask again."""
        if self._status < 200:
            return
        if self._line:
            self._count(self._line)
        tally = self._load.tally
        if self._status >= 400 or self._broken:
            name, detail = _named(self._status, self._error)
            tally.failures[name] += 1
            tally.details.setdefault(name, detail)
        else:
            seconds = time.perf_counter() - self._began
            tally.latencies.record(seconds)
            tally.recent.record(seconds)
        self._asked = False
        if self._parser.should_keep_alive():
            self._ask()
        elif self._transport:
            self._transport.close()

    def _ask(self) -> None:
        self._forget()
        self._asked = True
        self._began = time.perf_counter()
        if self._transport:
            self._transport.write(next(self._requests))

    def _forget(self) -> None:
        self._status = 0
        self._error = self._mark = self._line = b""
        self._broken = self._has_item = False

    def _count(self, line: bytes) -> None:
        """Look at one line of a stream: an item, the failure that ends it, or neither."""
        if line.startswith((b"event: error", b'{"error": {"type": "urn:litgen:')):
            self._broken = True
        if self._broken:
            if b"{" in line:
                self._error = line[line.index(b"{") :]
            return
        if not line.startswith(self._mark):
            return
        self._load.tally.items += 1
        self._load.tally.recent_items += 1
        if not self._has_item:
            self._has_item = True
            self._load.tally.firsts.record(time.perf_counter() - self._began)

    def _fail(self, reason: str) -> None:
        self._load.tally.failures[reason] += 1
        self.abort()


def _named(status: int, body: bytes) -> tuple[str, str]:
    """Name a failure, by its status and the code of a problem document, and say what that says."""
    try:
        problem = json.loads(body)
        problem = problem.get("error", problem)
        return f"{problem.get('status', status)} {problem['code']}", _said(problem)
    except (ValueError, KeyError, AttributeError, TypeError):
        return (f"{status}" if status >= 400 else "stream broken off"), ""


def _said(problem: dict[str, Any]) -> str:
    fields = (f"{error['pointer'] or 'the body'}: {error['detail']}" for error in problem.get("errors") or ())
    return "; ".join(fields) or str(problem.get("detail", ""))
