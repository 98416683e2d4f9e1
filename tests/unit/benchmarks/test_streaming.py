from __future__ import annotations

import asyncio
from unittest.mock import Mock

import pytest

from tests.benchmarks.streaming import Stream, Tally

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ITEMS = b'13\r\ndata: {"token":"a"}\n\r\n' * 3
END = b"0\r\n\r\n"


def fed(*data: bytes, expected: int = 3) -> tuple[Tally, Mock]:
    """Return what a connection has counted, and its transport."""

    async def talk() -> tuple[Tally, Mock]:
        tally, transport = Tally(), Mock()
        stream = Stream(tally, b"ask", expected)
        stream.connection_made(transport)
        for part in data:
            stream.data_received(part)
        return tally, transport

    return asyncio.run(talk())


@pytest.mark.parametrize("split", [1, 5, 20, 1000])
def test_items_wherever_the_bytes_are_cut(split: int) -> None:
    """Each item counts once, and the next stream is asked for when one has ended."""
    body = ITEMS + END
    parts = [body[start : start + split] for start in range(0, len(body), split)]
    tally, transport = fed(HEAD, *parts, HEAD, *parts)
    assert (tally.items, tally.failed, len(tally.firsts_s), transport.write.call_count) == (6, 0, 2, 3)


def test_too_few_items() -> None:
    """A stream that ends early has failed."""
    assert fed(HEAD + ITEMS + END, expected=4)[0].failed == 1


def test_refusal() -> None:
    """An error is no stream: the connection is given up."""
    assert fed(b"HTTP/1.1 503 X\r\n\r\n")[1].close.called
