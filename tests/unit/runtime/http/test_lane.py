from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable

import pytest
import uvicorn
from uvicorn.server import ServerState

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.http.body import JsonReader
from litgen_runtime.http.connection import TimedProtocol
from litgen_runtime.http.crowd import Crowd
from litgen_runtime.http.door import Door
from litgen_runtime.http.lanes import Lanes, Way
from litgen_runtime.http.lifecycle import Lifecycle, WorkerState
from litgen_runtime.http.messages import Receive, Scope, Send, send_json
from litgen_runtime.transport.frames import Result
from tests.unit.runtime.fakes import FakeTransport, FakeWorker, run, turns
from tests.unit.runtime.mini import Ask, choices

BODY = b'{"text": "hello"}'
LIMITS = {"headers": 10.0, "body": 30.0, "reading": 20.0}


def post(body: bytes = BODY, *headers: bytes, path: bytes = b"/embed", version: bytes = b"1.1") -> bytes:
    """Return a whole request."""
    lines = [b"POST %s HTTP/%s" % (path, version), b"Host: a", b"Content-Length: %d" % len(body), *headers, b"", b""]
    return b"\r\n".join(lines) + body


class Client:
    """A connection to a real door, over a real dispatcher, to a worker that answers when told to."""

    def __init__(self, *, learns: bool = True) -> None:
        self.through_asgi = self.known = 0
        self.dispatcher = Dispatcher("embed", choices().endpoints["embed"], lambda *_: None)
        self.lifecycle = Lifecycle([WorkerState(0, "embed[0]", "embed", "cpu")], asyncio.get_running_loop().time)
        self.lifecycle.loading(0)
        self.lifecycle.ready(0, 1.0)
        self.worker = FakeWorker(self.dispatcher).ready()
        door = Door(self.dispatcher, JsonReader(self.dispatcher, Ask, 1000), self.lifecycle)
        self.lanes = Lanes({b"/embed": door})
        self._way_of = self.lanes.way_of
        self._earlier = b""
        self.transport = FakeTransport()
        self.lanes.way_of = self._way if learns else lambda data: None  # type: ignore[method-assign]
        self.connect()

    def connect(self) -> None:
        """Begin another connection to the same service."""
        self._earlier = self.told
        config = uvicorn.Config(
            self._app, interface="asgi3", ws="none", lifespan="off", log_config=None, access_log=False
        )
        config.load()
        self.protocol = TimedProtocol(
            config=config, server_state=ServerState(), app_state={}, crowd=Crowd(100), lanes=self.lanes
        )
        self.transport = FakeTransport(self.protocol)
        self.transport.get_extra_info = lambda name, default=None: default  # type: ignore[method-assign]
        self.protocol.connection_made(self.transport)

    def _way(self, data: bytes) -> Way | None:
        way = self._way_of(data)
        self.known += way is not None
        return way

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.through_asgi += 1
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        gathered = scope.get("litgen.gathered")
        body = (gathered.pieces.joined() if gathered else b"") + body + message.get("body", b"")
        await send_json(send, 200, b'"%s"' % body.hex().encode(), b"asgi")

    async def works(self) -> None:
        """Let the worker answer everything that it has."""
        await turns()
        self.worker.read()
        self.worker.echo()
        await turns(5)

    @property
    def statuses(self) -> list[int]:
        """The statuses that the client has been told."""
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", self.told)]

    @property
    def told(self) -> bytes:
        """All that the client has been told, over all of its connections."""
        return self._earlier + bytes(self.transport.written)


def with_client(test: Callable[[Client], Awaitable[None]]) -> None:
    """Run a test with a client, and end it."""

    async def main() -> None:
        client = Client()
        await test(client)
        client.transport.close()
        await turns(5)
        assert client.lifecycle.in_flight == 0

    run(main())


def test_a_whole_request() -> None:
    """It is answered with its own result, without ASGI, and the connection stays."""

    async def test(client: Client) -> None:
        client.protocol.data_received(post(BODY, b"X-Request-ID: mine"))
        assert client.lifecycle.in_flight == 1
        await client.works()
        head, body = bytes(client.transport.written).split(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"x-request-id: mine" in head
        assert b"content-type: application/json" in head
        assert body == BODY
        assert (client.through_asgi, client.transport.closed, client.lifecycle.in_flight) == (0, False, 0)

    with_client(test)


@pytest.mark.parametrize("at", [20, -5])
def test_in_pieces(at: int) -> None:
    """What does not come all at once goes through ASGI, and nothing of it is lost."""

    async def test(client: Client) -> None:
        request = post()
        client.protocol.data_received(request[:at])
        client.protocol.data_received(request[at:])
        await client.works()
        assert client.statuses == [200]
        assert client.through_asgi == (1 if at < 0 else 0), "only a body that is cut is still to come"
        if at < 0:
            assert BODY.hex().encode() in client.transport.written

    with_client(test)


@pytest.mark.parametrize(
    "request_",
    [
        post(path=b"/embed?x=1"),
        post(path=b"/other"),
        post(BODY, b"Expect: 100-continue"),
        post(version=b"1.0"),
        post().replace(b"POST", b"PUT"),
    ],
)
def test_what_needs_more(request_: bytes) -> None:
    """Anything but a plain POST to exactly the endpoint's path goes through ASGI."""

    async def test(client: Client) -> None:
        client.protocol.data_received(request_)
        await client.works()
        assert client.through_asgi == 1

    with_client(test)


def test_chunked_with_trailers() -> None:
    """A chunked body is one too; what comes behind it is no header."""

    async def test(client: Client) -> None:
        head = b"POST /embed HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.protocol.data_received(
            head + b"5\r\n" + BODY[:5] + b"\r\nc\r\n" + BODY[5:] + b"\r\n0\r\nX-Request-Timeout: 0\r\n\r\n"
        )
        await client.works()
        assert client.statuses == [200]
        assert client.transport.written.endswith(BODY)
        assert client.through_asgi == 0

    with_client(test)


CHUNKED = b"POST /embed HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_chunks_of_one_byte() -> None:
    """They cost as much each as there are many: the loop is nobody's alone."""

    async def test(client: Client) -> None:
        data = CHUNKED + b"1\r\n \r\n" * 400_000
        began = time.process_time()
        client.protocol.data_received(data)
        assert time.process_time() - began < 0.8

    with_client(test)


def test_a_body_that_is_no_http() -> None:
    """It is refused, and nothing of it goes any other way."""

    async def test(client: Client) -> None:
        client.protocol.data_received(CHUNKED + b"2\r\n{}\r\nzz\r\n")
        await client.works()
        assert (client.statuses, client.through_asgi) == ([400], 0)
        assert client.transport.ended

    with_client(test)


@pytest.mark.parametrize("path", [b"/embed", b"/other"])
def test_behind_the_last_answer(path: bytes) -> None:
    """What a client has sent behind a request with whose answer the connection is closed is not served."""

    async def test(client: Client) -> None:
        client.lifecycle.refusing = True
        client.protocol.data_received(post() + post(path=path))
        await client.works()
        assert (client.statuses, client.through_asgi, client.worker.received) == ([503], 0, [])

    with_client(test)


def test_a_refusal_leaves_the_connection_as_it_was() -> None:
    """A bad request is refused at once; the connection then waits for the next one as long as any does."""

    async def test(client: Client) -> None:
        client.protocol.data_received(post(b"{}"))
        assert client.statuses == [422]
        assert client.lifecycle.in_flight == 0
        client.protocol.sweep(client.protocol.waits_since + 20, LIMITS)
        assert (client.statuses, client.transport.closed) == ([422], False)
        client.protocol.data_received(post())
        await client.works()
        assert client.statuses == [422, 200]

    with_client(test)


def test_answers_keep_their_order() -> None:
    """What a client sends before it has its answer is answered after it."""

    async def test(client: Client) -> None:
        client.protocol.data_received(post(b'{"text": "1"}') + post(b'{"text": "2"}') + post(b'{"text": "3"}'))
        await turns(5)
        assert client.statuses == []
        await client.works()
        await turns(10)
        written = bytes(client.transport.written)
        assert client.statuses == [200, 200, 200]
        assert written.index(b'{"text": "1"}') < written.index(b'{"text": "2"}'.hex().encode())
        assert client.through_asgi == 2

    with_client(test)


@pytest.mark.parametrize("path", [b"/embed", b"/other"])
def test_a_connection_that_works_is_not_idle(path: bytes) -> None:
    """One whose next request came with one that was refused at once is neither cut for room nor for its silence."""

    async def test(client: Client) -> None:
        client.protocol.data_received(post(b"{}") + post(path=path))
        assert client.statuses == [422]
        assert client.protocol.idle_since is None
        client.protocol.sweep(client.protocol.waits_since + 100, LIMITS)
        await client.works()
        assert (client.statuses, client.transport.closed) == ([422, 200], False)
        assert client.protocol.idle_since is not None

    with_client(test)


@pytest.mark.parametrize("keep", [b"Connection: close", b"Connection: keep-alive"])
def test_connection(keep: bytes) -> None:
    """The connection is closed after the answer if the client asks for that."""

    async def test(client: Client) -> None:
        client.protocol.data_received(post(BODY, keep))
        await client.works()
        assert client.statuses == [200]
        assert client.transport.closed == (keep == b"Connection: close")
        assert (b"connection: close" in client.transport.written) == client.transport.closed

    with_client(test)


def test_draining() -> None:
    """A newcomer is refused, and told to leave."""

    async def test(client: Client) -> None:
        client.lifecycle.refusing = True
        client.protocol.data_received(post())
        assert client.statuses == [503]
        assert client.transport.written.count(b"connection: close") == 1
        assert client.transport.closed

    with_client(test)


def test_the_client_leaves() -> None:
    """What it waited for is withdrawn, and its answer goes nowhere."""

    async def test(client: Client) -> None:
        client.protocol.data_received(post())
        await turns()
        client.protocol.eof_received()
        assert client.lifecycle.in_flight == 0
        client.worker.read()
        assert client.worker.cancelled == client.worker.received == [1]
        client.worker.echo()
        await turns()
        assert client.transport.written == b""

    with_client(test)


def test_a_client_that_reads_nothing() -> None:
    """Once it has not taken its last answer, its next one waits until it has."""

    async def test(client: Client) -> None:
        client.protocol.pause_writing()
        client.protocol.data_received(post())
        await client.works()
        assert (client.through_asgi, client.statuses) == (1, [])
        client.protocol.resume_writing()
        await turns(5)
        assert client.statuses == [200]

    with_client(test)


def test_an_answer_that_cannot_be_made() -> None:
    """It is a 500 for its own client, and the worker's line lives on."""

    async def test(client: Client) -> None:
        client.protocol.data_received(post())
        await turns()
        client.worker.read()
        (run_,) = client.worker.waiting.values()
        client.worker.answer([Result(run_.id, 500, 0.1, b"no JSON")])
        await turns()
        assert client.statuses == [500]
        client.worker.waiting.clear()
        client.protocol.data_received(post())
        await client.works()
        assert client.statuses == [500, 200]

    with_client(test)
