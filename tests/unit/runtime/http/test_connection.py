from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from litgen_runtime.errors import QueueFull
from litgen_runtime.http.connection import TimedProtocol
from litgen_runtime.http.crowd import Crowd
from litgen_runtime.http.lanes import Lanes
from litgen_runtime.http.messages import Receive, Scope, Send, send_json
from litgen_runtime.http.pieces import Gathered
from tests.unit.runtime.fakes import FakeTransport, run, turns

LIMITS = {"headers": 10.0, "body": 30.0, "reading": 20.0}
POST = b"POST /embed HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"


class Connection:
    """One connection of a client that does what a test says."""

    def __init__(self, crowd: Crowd | None = None) -> None:
        self.app_done = asyncio.Event()
        self.woken = 0  # how often the app has been given something

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            more = True
            while more:
                more = (await receive()).get("more_body", False)
                self.woken += 1
            await self.app_done.wait()
            await send_json(send, 200, b"{}", b"id")

        config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None, access_log=False)
        config.load()
        self.protocol = TimedProtocol(
            config=config,
            server_state=ServerState(),
            app_state={},
            crowd=Crowd(100) if crowd is None else crowd,
            lanes=Lanes({}),
        )
        self.transport = FakeTransport(self.protocol)
        self.transport.get_extra_info = lambda name, default=None: default  # type: ignore[method-assign]
        self.protocol.connection_made(self.transport)

    @property
    def answer(self) -> bytes:
        return bytes(self.transport.written)

    def sweep(self, after_s: float) -> None:
        """Let so much time pass since the connection has begun to wait."""
        self.protocol.sweep(self.protocol.waits_since + after_s, LIMITS)


def connected(test: Callable[[Connection], Awaitable[None]]) -> None:
    """Run a test with a connection, and end it."""

    async def main() -> None:
        connection = Connection()
        await test(connection)
        connection.app_done.set()
        await turns(5)
        connection.transport.close()
        await turns(5)

    run(main())


@pytest.mark.parametrize("sent", [b"", b"POST /embed HTTP/1.1\r\nHost:"])
def test_silent_client(sent: bytes) -> None:
    """A client whose headers do not arrive in time gets 408 and is closed, not a moment before."""

    async def test(client: Connection) -> None:
        client.protocol.data_received(sent)
        client.sweep(9.9)
        assert not client.transport.closed
        client.sweep(10.0)
        assert client.answer.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in client.answer
        assert b"did not arrive within 10 s" in client.answer
        assert client.transport.ended

    connected(test)


def test_slow_body() -> None:
    """A body that does not arrive in time is 408 too, by its own limit."""

    async def test(client: Connection) -> None:
        client.protocol.data_received(POST + b"12")
        assert client.protocol.waits_for == "body"
        client.sweep(29.9)
        assert not client.transport.closed
        client.sweep(30.0)
        assert client.answer.startswith(b"HTTP/1.1 408 ")
        assert client.transport.ended

    connected(test)


def test_slow_model() -> None:
    """A client that has sent everything is never cut for our slowness."""

    async def test(client: Connection) -> None:
        client.protocol.data_received(POST + b"1234")
        await turns()
        client.sweep(1e9)
        assert not client.transport.closed
        assert client.answer == b""

    connected(test)


@pytest.mark.parametrize(("unread", "cut"), [(0, False), (1, True)])
def test_client_that_does_not_read(unread: int, cut: bool) -> None:
    """A client that leaves its answer lying is cut; an idle one is not."""

    async def test(client: Connection) -> None:
        client.protocol.data_received(POST + b"1234")
        client.app_done.set()
        await turns(5)
        assert client.answer.startswith(b"HTTP/1.1 200 ")
        client.transport.unread = unread
        for seconds in (0.5, 20.4):
            client.sweep(seconds)
            assert not client.transport.aborted
        client.sweep(20.5)
        assert client.transport.aborted is cut

    connected(test)


@pytest.mark.parametrize("piece", [b"X-Long: " + b"a" * 70_000, b"X-More: a\r\n" * 7_000])
def test_endless_headers(piece: bytes) -> None:
    """A header block without an end is 431."""

    async def test(client: Connection) -> None:
        client.protocol.data_received(b"POST /embed HTTP/1.1\r\nHost: x\r\n" + piece)
        assert client.answer.startswith(b"HTTP/1.1 431 ")
        assert client.transport.ended

    connected(test)


def gathering(connection: Connection, size: int, sent: bytes) -> Gathered:
    """Begin a request whose body is handed on whole."""
    protocol = connection.protocol
    protocol._lanes = Lanes({b"/embed": cast(Any, object())})
    protocol._answering = protocol.cycle = cast(Any, SimpleNamespace(response_complete=True, keep_alive=True))
    protocol.data_received(b"GET /embed HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + sent)
    gathered: Gathered = protocol.scope["litgen.gathered"]  # type: ignore[typeddict-item]  # ours
    return gathered


def test_a_body_that_is_gathered_is_counted() -> None:
    """Each piece of a body that is handed on whole is counted as it comes; what has no room is handed on to be refused.

    The client's app is not woken in between.
    """

    async def main() -> None:
        connection = Connection()
        protocol = connection.protocol
        gathered = gathering(connection, 100, b"x" * 10)
        seen: list[int] = []

        def count(size: int) -> None:
            seen.append(size)
            if size > 40:
                raise QueueFull("No room.")

        gathered.on_more = count
        protocol.data_received(b"x" * 20)
        await turns()
        assert (gathered.pieces.size, seen, connection.woken) == (30, [30], 0)
        protocol.data_received(b"x" * 20)
        await turns()
        assert (seen, connection.woken) == ([30, 50], 1)
        protocol.data_received(b"x" * 50)
        assert seen == [30, 50]
        connection.app_done.set()
        await turns(5)
        assert connection.answer.startswith(b"HTTP/1.1 200 ")
        connection.transport.close()
        await turns(5)

    run(main())


def test_a_body_that_nobody_wants_is_let_go_of() -> None:
    """A connection holds nothing of it once it has been answered, as a request without a key is."""

    async def main() -> None:
        connection = Connection()
        protocol = connection.protocol
        gathered = gathering(connection, 40_000, b"x" * 20_000)
        protocol.data_received(b"x" * 20_000)
        protocol.data_received(b"GET /embed HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n" + b"x" * 8)
        behind = protocol.scope["litgen.gathered"]  # type: ignore[typeddict-item]  # ours
        await turns()
        assert (gathered.pieces.size, connection.woken) == (40_000, 1)
        connection.app_done.set()
        await turns(5)
        assert connection.answer.startswith(b"HTTP/1.1 200 ")
        assert (gathered.pieces.size, behind.pieces.size) == (0, 8), "it is one request that has been answered"
        connection.transport.close()
        await turns(5)

    run(main())


def test_large_body_is_no_header() -> None:
    """What follows the headers does not count as headers."""

    async def test(client: Connection) -> None:
        head = b"POST /embed HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
        client.protocol.data_received(head)
        client.protocol.data_received(b"x" * 100_000)
        assert not client.transport.closed

    connected(test)


def test_headers_are_counted_for_each_request() -> None:
    """A connection that is kept alive may send as many headers again."""

    async def test(client: Connection) -> None:
        client.app_done.set()
        for _ in range(3):
            for piece in (POST[:-2], b"X-More: a\r\n" * 4_000, b"\r\n1234"):
                client.protocol.data_received(piece)
            await turns(5)
        assert client.answer.count(b"HTTP/1.1 200 ") == 3

    connected(test)


def test_not_http() -> None:
    """Bytes that are not HTTP are a 400 problem."""

    async def test(client: Connection) -> None:
        client.protocol.data_received(b"\x16\x03\x01 hello\r\n\r\n")
        assert client.answer.startswith(b"HTTP/1.1 400 ")
        assert b'"code": "invalid-http"' in client.answer
        assert client.transport.ended

    connected(test)


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"identity, chunked", b"gzip\r\nTransfer-Encoding: chunked"])
def test_other_transfer_codings(coding: bytes) -> None:
    """A body in a transfer coding that we do not undo is 501, by name, and never read as if it were plain."""

    async def test(client: Connection) -> None:
        client.protocol.data_received(
            b"POST /embed HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n"
        )
        assert client.answer.startswith(b"HTTP/1.1 501 ")
        assert b"unsupported-transfer-encoding" in client.answer
        assert client.transport.ended

    connected(test)


@pytest.mark.parametrize("coding", [b"chunked", b"Chunked"])
def test_chunked(coding: bytes) -> None:
    """The one that we do undo is taken in any spelling."""

    async def test(client: Connection) -> None:
        client.app_done.set()
        client.protocol.data_received(
            b"POST /embed HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n"
        )
        await turns(5)
        assert client.answer.startswith(b"HTTP/1.1 200 ")

    connected(test)


TOO_LARGE: list[Any] = [
    {"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0"), (b"connection", b"close")]},
    {"type": "http.response.body", "body": b"", "more_body": False},
]


@pytest.mark.parametrize("then", ["nothing", "much", "too much"])
def test_an_answer_before_the_whole_request(then: str) -> None:
    """The client may end sending, of which nothing is kept, but not for long and not without bound."""

    async def test(client: Connection) -> None:
        client.protocol.data_received(POST[:-5] + b"999999999\r\n\r\nab")
        for message in TOO_LARGE:
            await client.protocol.cycle.send(message)
        answer = client.answer
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert (client.transport.ended, client.transport.closed) == (True, False)
        assert client.protocol.idle_since is not None, "its place is free for others"
        if then == "nothing":
            client.protocol.sweep(client.protocol.idle_since + 1.9, LIMITS)
            assert not client.transport.closed
            client.protocol.sweep(client.protocol.idle_since + 2.0, LIMITS)
        else:
            mebibyte = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n".ljust(1_048_576)
            for _ in range(256):
                client.protocol.data_received(mebibyte)
            assert not client.transport.closed
            if then == "much":
                client.protocol.shutdown()
            else:
                client.protocol.data_received(b"!")
        assert client.transport.closed
        assert client.answer == answer

    connected(test)


def test_an_answer_behind_which_more_has_come() -> None:
    """With the answer after which it is closed, a connection is over for what was pipelined behind, too."""

    async def test(client: Connection) -> None:
        client.protocol.data_received(POST + b"1234" + POST + b"1234" + POST + b"12")
        first: Any = client.protocol._answering
        for message in TOO_LARGE:
            await first.send(message)
        client.app_done.set()
        await turns(5)
        client.protocol.data_received(b"34")
        await turns(5)
        assert client.answer.count(b"HTTP/1.1") == 1
        assert client.transport.ended

    connected(test)


GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


def crowded(test: Callable[[list[Connection]], Awaitable[None]], places: int = 2) -> None:
    """Run a test with one connection more than there may be, none of them idle; the last one is the newcomer."""

    async def main() -> None:
        crowd = Crowd(places)
        clients = [Connection(crowd) for _ in range(places + 1)]
        for client in clients:
            client.app_done.set()
        await test(clients)
        for client in clients:
            client.transport.close()
        await turns(5)
        assert len(crowd) == 0

    run(main())


def test_beyond_the_bound() -> None:
    """A newcomer beyond the bound is told so, with the time to come back, and its connection is closed."""

    async def test(clients: list[Connection]) -> None:
        clients[-1].protocol.data_received(POST + b"1234")
        await turns(5)
        assert clients[-1].answer.startswith(b"HTTP/1.1 503 ")
        assert b"too-many-connections" in clients[-1].answer
        assert b"retry-after: 1\r\n" in clients[-1].answer
        assert clients[-1].transport.ended
        clients[0].protocol.data_received(POST + b"1234")
        await turns(5)
        assert clients[0].answer.startswith(b"HTTP/1.1 200 ")

    crowded(test)


@pytest.mark.parametrize("path", [b"/livez", b"/readyz?verbose", b"/health"])
def test_probes_beyond_the_bound(path: bytes) -> None:
    """It may ask the probes, once."""

    async def test(clients: list[Connection]) -> None:
        clients[-1].protocol.data_received(GET % path)
        await turns(5)
        assert clients[-1].answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in clients[-1].answer
        assert clients[-1].transport.closed

    crowded(test)


def test_silence_is_idleness() -> None:
    """A connection that has sent nothing for a second gives its place to a newcomer; one beyond the bound has none."""

    async def test(clients: list[Connection]) -> None:
        await asyncio.sleep(0.9)
        assert [client.protocol.idle_since for client in clients] == [None] * 3
        clients[0].protocol.data_received(b"P")
        await asyncio.sleep(0.2)
        assert [client.protocol.idle_since is not None for client in clients] == [False, True, False]

    crowded(test)


def test_room_again() -> None:
    """A newcomer that finds a place by the time it asks is like any other."""

    async def test(clients: list[Connection]) -> None:
        clients[0].transport.close()
        await turns(5)
        for _ in range(2):
            clients[-1].protocol.data_received(POST + b"1234")
            await turns(5)
        assert clients[-1].answer.count(b"HTTP/1.1 200 ") == 2

    crowded(test)


def test_a_silent_newcomer() -> None:
    """A newcomer beyond the bound that says nothing does not keep its place for long."""

    async def test(clients: list[Connection]) -> None:
        for client in clients:
            client.sweep(1.0)
        assert [client.transport.ended for client in clients] == [False, False, True]

    crowded(test)


def test_the_longest_idle_leaves_first() -> None:
    """A newcomer takes the place of the connection that has been idle for longest, and never a busy one's."""

    async def main() -> None:
        crowd = Crowd(3)
        clients = [Connection(crowd) for _ in range(3)]
        for client in (clients[1], clients[0]):
            client.app_done.set()
            client.protocol.data_received(POST + b"1234")
            await asyncio.sleep(1)
        clients[2].protocol.data_received(POST + b"1234")
        newcomers = []
        for left in ([1], [1, 0], [1, 0]):
            newcomers.append(Connection(crowd))
            newcomers[-1].app_done.set()
            newcomers[-1].protocol.data_received(POST[:1])
            assert [i for i in (1, 0, 2) if clients[i].transport.aborted] == left
            await asyncio.sleep(1)
        for client in newcomers:
            client.protocol.data_received(POST[1:] + b"1234")
        await turns(5)
        assert [client.answer[9:12] for client in newcomers] == [b"200", b"200", b"503"]
        for client in clients + newcomers:
            client.app_done.set()
            client.transport.close()
        await turns(10)

    run(main())


def test_answer_frames_itself() -> None:
    """An answer outside of the app says its own length and id."""

    async def test(client: Connection) -> None:
        client.sweep(10.0)
        head, body = client.answer.split(b"\r\n\r\n")
        headers: dict[Any, Any] = dict(line.split(b": ") for line in head.split(b"\r\n")[1:])
        assert int(headers[b"content-length"]) == len(body)
        assert headers[b"x-request-id"] in body

    connected(test)


def test_the_rest_of_a_refused_request() -> None:
    """A body that still comes after its request was refused leaves an idle connection, not one that owes headers."""

    async def test(client: Connection) -> None:
        client.protocol.data_received(POST + b"ab")
        cycle = client.protocol.cycle
        await cycle.send({"type": "http.response.start", "status": 415, "headers": [(b"content-length", b"0")]})
        await cycle.send({"type": "http.response.body", "body": b"", "more_body": False})
        client.protocol.data_received(b"cd")
        assert client.protocol.idle_since is not None
        client.sweep(20.0)
        assert b" 408 " not in client.answer

    connected(test)
