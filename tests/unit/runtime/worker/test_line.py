from __future__ import annotations

import math
import socket
from collections.abc import Iterator

import pytest
from pydantic import BaseModel, field_validator

from litgen_runtime.batching import Reason
from litgen_runtime.transport.frames import (
    DROPPED,
    Frame,
    FrameReader,
    Kind,
    Run,
    pack_ids,
    pack_runs,
    unpack_batch,
    unpack_results,
)
from litgen_runtime.worker.codec import Codec
from litgen_runtime.worker.inbox import Inbox
from litgen_runtime.worker.line import Line
from litgen_runtime.worker.running import Running
from tests.unit.runtime.mini import Answer, Ask


class Raising(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def refuse(cls, value: str) -> str:
        raise KeyError(value)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return the HTTP process's end and the worker's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10.0)
        yield ours, theirs


def received(sock: socket.socket, results: int) -> list[Frame]:
    """Read until so many records have come."""
    reader = FrameReader()
    frames: list[Frame] = []
    while sum(frame.records for frame in frames) < results:
        frames += list(reader.feed(sock.recv(65_536)))
    return frames


def line_of(sock: socket.socket, request: type[BaseModel] = Ask) -> tuple[Line, Inbox]:
    """Return a line over a worker's end, and its inbox."""
    inbox = Inbox(4, 0.0)
    return Line(sock, Codec(request, Answer), inbox, Running()), inbox


def test_requests_are_decoded_into_the_inbox(ends: tuple[socket.socket, socket.socket]) -> None:
    """A frame of requests becomes decoded requests, in order."""
    line, inbox = line_of(ends[1])
    line.start()
    ends[0].sendall(b"".join(pack_runs([Run(i, math.inf, b'{"text": "%d"}' % i) for i in (1, 2)])))
    poll = inbox.take()
    assert poll is not None
    assert poll.batch is not None
    assert poll.batch.items == [(1, Ask(text="1")), (2, Ask(text="2"))]
    ends[0].shutdown(socket.SHUT_WR)
    line.finish()


def test_bad_request_is_answered_alone(ends: tuple[socket.socket, socket.socket]) -> None:
    """A body that the request type refuses is answered without running, and its neighbours run."""
    line, inbox = line_of(ends[1])
    line.start()
    ends[0].sendall(b"".join(pack_runs([Run(1, math.inf, b"{"), Run(2, math.inf, b'{"text": ""}')])))
    poll = inbox.take()
    assert poll is not None
    assert poll.batch is not None
    assert [key for key, _ in poll.batch.items] == [2]
    (result,) = unpack_results(received(ends[0], 1)[0])
    assert (result.id, result.status) == (1, 400)
    ends[0].shutdown(socket.SHUT_WR)
    line.finish()


def test_validator_that_raises(ends: tuple[socket.socket, socket.socket]) -> None:
    """An owner's validator that breaks is a 500 for that request; the reader lives on."""
    line, _ = line_of(ends[1], Raising)
    line.start()
    ends[0].sendall(b"".join(pack_runs([Run(1, math.inf, b'{"text": "a"}'), Run(2, math.inf, b'{"text": "b"}')])))
    results = [result for frame in received(ends[0], 2) for result in unpack_results(frame)]
    assert [(result.id, result.status) for result in results] == [(1, 500), (2, 500)]
    ends[0].shutdown(socket.SHUT_WR)
    line.finish()


def test_cancel_reaches_the_inbox(ends: tuple[socket.socket, socket.socket]) -> None:
    """A cancelled request is taken out and reported as dropped."""
    line, inbox = line_of(ends[1])
    line._take(next(FrameReader().feed(b"".join(pack_runs([Run(1, math.inf, b'{"text": ""}')])))))
    line._take(next(FrameReader().feed(pack_ids(Kind.CANCEL, [1]))))
    poll = inbox.take()
    assert poll is not None
    assert (poll.batch, poll.dropped) == (None, [1])


def test_order_of_notices_and_answers(ends: tuple[socket.socket, socket.socket]) -> None:
    """A notice that a batch has started comes before its answers, which all travel in one frame."""
    line, _ = line_of(ends[1])
    line.started([1, 2], Reason.FULL)
    line.answer([(1, 0.5, Answer(length=1)), (2, 0.5, Answer(length=2))])
    line.drop([3])
    line.started([4], Reason.WINDOW)
    line._writer.start()
    line.finish()
    first, second, third = received(ends[0], 6)
    assert (first.kind, unpack_batch(first)) == (Kind.STARTED, ([1, 2], Reason.FULL))
    results = unpack_results(second)
    assert [(result.id, result.status) for result in results] == [(1, 200), (2, 200), (3, DROPPED)]
    assert results[1].body == b'{"length":2}'
    assert (third.kind, unpack_batch(third)) == (Kind.STARTED, ([4], Reason.WINDOW))


def test_finish_writes_everything(ends: tuple[socket.socket, socket.socket]) -> None:
    """What was handed over before the end is written before ``finish`` returns."""
    line, _ = line_of(ends[1])
    line._writer.start()
    for key in range(50):
        line.answer([(key, 0.0, Answer(length=key))])
    line.finish()
    results = [result for frame in received(ends[0], 50) for result in unpack_results(frame)]
    assert [result.id for result in results] == list(range(50))


def test_end_of_the_line_closes_the_inbox(ends: tuple[socket.socket, socket.socket]) -> None:
    """When the other end is gone, the worker's loop ends."""
    line, inbox = line_of(ends[1])
    line.start()
    ends[0].close()
    assert inbox.take() is None
    line.answer([(1, 0.0, Answer(length=1))])
    line.finish()
