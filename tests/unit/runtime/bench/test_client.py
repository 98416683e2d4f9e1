"""The client is fed bytes by hand; against real services it stands in tests/integration/test_bench.py."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest

from litgen_runtime.bench.client import Connection, Load, Tally, Target

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
PROBLEM = b'{"code": "queue-full", "status": 503, "detail": "It is full."}'
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"


def fed(*data: bytes) -> tuple[Tally, Any]:
    """Return what a connection has counted after it was given some bytes, and its transport."""

    async def talk() -> tuple[Tally, Any]:
        load = Load(Target("127.0.0.1", 1, False, [b"ask"]), 0)
        connection, transport = Connection(load, iter([b"ask"] * 10)), Mock()
        connection.connection_made(transport)
        for part in data:
            connection.data_received(part)
        return load.tally, transport

    return asyncio.run(talk())


def chunked(*parts: bytes) -> bytes:
    """Return a body in chunks, the last one included."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))


def test_asks_again_after_each_answer() -> None:
    """A closed loop: as many requests as answers, and one more."""
    tally, transport = fed(OK, OK)
    assert (tally.latencies.count, tally.failed, transport.write.call_count) == (2, 0, 3)


def test_error_is_named_by_its_code() -> None:
    """A problem document says more than its status."""
    head = b"HTTP/1.1 503 X\r\nContent-Length: %d\r\n\r\n" % len(PROBLEM)
    tally, _ = fed(head + PROBLEM)
    assert tally.failures == {"503 queue-full": 1}
    assert tally.details == {"503 queue-full": "It is full."}


def test_error_of_somebody_else() -> None:
    """A proxy's error has its status only."""
    assert fed(b"HTTP/1.1 502 X\r\nContent-Length: 3\r\n\r\nbad")[0].failures == {"502": 1}


@pytest.mark.parametrize("split", [1, 7, 1000])
def test_items_of_a_stream(split: int) -> None:
    """Items are counted wherever the bytes are cut; comments are none."""
    whole = EVENTS + chunked(b'data: {"n": 1}\n\n:\n\n', b'data: {"n": 2}\n\ndata: 3\n\n')
    tally, _ = fed(*(whole[start : start + split] for start in range(0, len(whole), split)))
    assert (tally.items, tally.firsts.count, tally.latencies.count, tally.failed) == (3, 1, 1, 0)


def test_stream_that_fails_later() -> None:
    """An error event is a failed request, not an item."""
    tally, _ = fed(EVENTS + chunked(b"data: 1\n\n", b"event: error\ndata: " + PROBLEM + b"\n\n"))
    assert (tally.items, tally.failures, tally.latencies.count) == (1, {"503 queue-full": 1}, 0)


def test_no_http() -> None:
    """What is not HTTP is a failure, and the connection is given up."""
    tally, transport = fed(b"nonsense\r\n\r\n")
    assert tally.failures == {"not HTTP/1.1": 1}
    assert transport.abort.called


def test_last_answer_of_a_connection() -> None:
    """A connection that is to be closed is closed, and nothing is asked on it."""
    _, transport = fed(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    assert (transport.close.called, transport.write.call_count) == (True, 1)
