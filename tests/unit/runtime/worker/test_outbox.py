from __future__ import annotations

import socket
import weakref
from collections.abc import Iterator

import pytest

from litgen_runtime.batching import Reason
from litgen_runtime.transport.frames import (
    DROPPED,
    Frame,
    FrameReader,
    Kind,
    Result,
    pack_batch,
    unpack_batch,
    unpack_chunks,
    unpack_results,
)
from litgen_runtime.worker.codec import Codec
from litgen_runtime.worker.outbox import Answers, Chunk, Outbox
from tests.unit.runtime.mini import Answer, Ask


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return the HTTP process's end and the worker's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10.0)
        yield ours, theirs


def received(sock: socket.socket, records: int) -> list[Frame]:
    """Read until so many records have come."""
    reader = FrameReader()
    frames: list[Frame] = []
    while sum(frame.records for frame in frames) < records:
        frames += list(reader.feed(sock.recv(65_536)))
    return frames


def outbox(sock: socket.socket) -> Outbox:
    """Return an outbox over a worker's end; its thread has not started."""
    return Outbox(sock, Codec(Ask, Answer))


def answers(run_s: float, *keys: int) -> Answers:
    """Return what came of a batch of these: the answer to each is its number."""
    return Answers(keys, [None] * len(keys), [Answer(length=key) for key in keys], run_s)


def test_order_of_notices_and_answers(ends: tuple[socket.socket, socket.socket]) -> None:
    """A notice that a batch has started comes before its answers, which all travel in one frame."""
    box = outbox(ends[1])
    box.put(pack_batch([1, 2], Reason.FULL), here=False)
    box.put(answers(0.5, 1, 2), here=True)  # behind what waits, all the same
    box.put_aside(Result(3, DROPPED, 0.0, b""))
    box.put(pack_batch([4], Reason.WINDOW), here=False)
    box.start()
    box.finish()
    first, second, third = received(ends[0], 6)
    assert (first.kind, unpack_batch(first)) == (Kind.STARTED, ([1, 2], Reason.FULL))
    results = unpack_results(second)
    assert [(result.id, result.status) for result in results] == [(1, 200), (2, 200), (3, DROPPED)]
    assert results[1].body == b'{"length":2}'
    assert (third.kind, unpack_batch(third)) == (Kind.STARTED, ([4], Reason.WINDOW))


def test_written_here(ends: tuple[socket.socket, socket.socket]) -> None:
    """A thread that has time writes by itself: nothing else has to run for it."""
    outbox(ends[1]).put(answers(0.0, 1), here=True)
    assert unpack_results(received(ends[0], 1)[0])[0].id == 1


def test_items_of_streams_travel_together(ends: tuple[socket.socket, socket.socket]) -> None:
    """Items between two answers are one frame, in order."""
    box = outbox(ends[1])
    for key in (1, 2, 1):
        box.put(Chunk(key, b"%d" % key), here=False)
    box.put(Result(1, 200, 0.1, b""), here=False)
    box.put(Chunk(2, b"last"), here=False)
    box.start()
    box.finish()
    first, second, third = received(ends[0], 5)
    assert unpack_chunks(first) == [(1, b"1"), (2, b"2"), (1, b"1")]
    assert second.kind is Kind.RESULT
    assert unpack_chunks(third) == [(2, b"last")]


def test_finish_writes_everything(ends: tuple[socket.socket, socket.socket]) -> None:
    """What was handed over before the end is written before ``finish`` returns, in order, whoever wrote it."""
    box = outbox(ends[1])
    box.start()
    for key in range(200):
        box.put(answers(0.0, key), here=key % 3 == 0)
    box.finish()
    results = [result for frame in received(ends[0], 200) for result in unpack_results(frame)]
    assert [result.id for result in results] == list(range(200))


def test_other_end_gone(ends: tuple[socket.socket, socket.socket]) -> None:
    """Without anybody to read, nothing raises: the reader ends the worker."""
    box = outbox(ends[1])
    ends[0].close()
    box.start()
    box.put(answers(0.0, 1), here=True)
    box.put(answers(0.0, 2), here=False)
    box.finish()


def test_nothing_is_handed_over(ends: tuple[socket.socket, socket.socket]) -> None:
    """Where nothing may run twice, all is written when ``put`` returns."""
    box = Outbox(ends[1], Codec(Ask, Answer), hands_over=False)
    box.put(answers(0.5, 1), here=False)
    box.put_aside(Result(2, DROPPED, 0.0, b""))
    box.put(pack_batch([3], Reason.ALONE), here=False)
    assert sum(frame.records for frame in received(ends[0], 3)) == 3


def test_requests_are_let_go(ends: tuple[socket.socket, socket.socket]) -> None:
    """Who writes the answers holds the requests last: what they are made of is not freed between two runs."""
    request = Answer(length=1)
    box = outbox(ends[1])
    box.put(Answers([1], [request], [Answer(length=1)], 0.0), here=False)
    gone = weakref.ref(request)
    del request
    assert gone() is not None
    box.start()
    box.finish()
    assert gone() is None
