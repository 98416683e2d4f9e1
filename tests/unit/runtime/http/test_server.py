from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from litgen_runtime.http.messages import Receive, Scope, Send, send_json
from litgen_runtime.http.server import TimedProtocol
from tests.unit.runtime.fakes import FakeTransport, run, turns

LIMITS = {"headers": 10.0, "body": 30.0, "reading": 20.0}
POST = b"POST /embed HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"


class Connection:
    """One connection of a client that does what a test says."""

    def __init__(self) -> None:
        self.app_done = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            while (await receive()).get("more_body"):
                pass
            await self.app_done.wait()
            await send_json(send, 200, b"{}", b"id")

        config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None, access_log=False)
        config.load()
        self.protocol = TimedProtocol(config=config, server_state=ServerState(), app_state={})
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
        assert client.transport.closed

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
        assert client.transport.closed

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
        client.protocol.data_received(b"POST /embed HTTP/1.1\r\n" + piece)
        assert client.answer.startswith(b"HTTP/1.1 431 ")
        assert client.transport.closed

    connected(test)


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
        assert client.transport.closed

    connected(test)


def test_answer_frames_itself() -> None:
    """An answer outside of the app says its own length and id."""

    async def test(client: Connection) -> None:
        client.sweep(10.0)
        head, body = client.answer.split(b"\r\n\r\n")
        headers: dict[Any, Any] = dict(line.split(b": ") for line in head.split(b"\r\n")[1:])
        assert int(headers[b"content-length"]) == len(body)
        assert headers[b"x-request-id"] in body

    connected(test)
