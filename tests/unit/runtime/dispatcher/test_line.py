from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from unittest import mock

import pytest
import uvloop

from litgen_runtime.dispatcher.line import WorkerLine
from litgen_runtime.dispatcher.ticket import Ticket
from litgen_runtime.transport.frames import (
    Frame,
    FrameReader,
    Kind,
    Run,
    pack_ids,
    pack_json,
    unpack_amounts,
    unpack_ids,
    unpack_runs,
)
from tests.unit.runtime.fakes import FakeTransport


class FakeOwner:
    max_size = 4
    max_bytes = 1000
    streams = False
    tells_starts = False

    def __init__(self) -> None:
        self.events: list[str] = []
        self.left = asyncio.Event()

    def join(self, line: WorkerLine) -> None:
        self.events.append("join")

    def receive(self, line: WorkerLine, frame: Frame) -> None:
        self.events.append(f"receive {frame.kind.name}")

    def leave(self, line: WorkerLine) -> None:
        self.events.append("leave")
        self.left.set()


def lined() -> tuple[WorkerLine, FakeOwner]:
    """Return a line with its owner."""
    owner = FakeOwner()
    line = WorkerLine(
        0,
        owner,
        lambda load_s: owner.events.append(f"loaded {load_s}"),
        lambda error, *, final: owner.events.append(f"failed {error} {final}"),
        lambda error: owner.events.append(f"confused {type(error).__name__}"),
    )
    return line, owner


def connected() -> tuple[WorkerLine, FakeOwner, FakeTransport]:
    """Return a line with its owner and transport."""
    line, owner = lined()
    transport = FakeTransport()
    line.connection_made(transport)
    return line, owner, transport


def ticket(key: int) -> Ticket:
    """Return a request on its way."""
    return Ticket(key, b"{}", 1.0, 31.0, 31.0, mock.Mock())


def test_loaded() -> None:
    """The owner is joined only once ``setup`` has ended."""
    line, owner, _ = connected()
    line.data_received(pack_json(Kind.READY, b'{"load_s": 1.5}'))
    assert owner.events == ["loaded 1.5", "join"]


def test_failed() -> None:
    """A worker whose ``setup`` raised is never joined."""
    line, owner, _ = connected()
    line.data_received(pack_json(Kind.FAILED, b'{"error": "no weights", "final": false}'))
    assert owner.events == ["failed no weights False"]


def test_answers_go_to_the_owner() -> None:
    """Everything else is the owner's to read."""
    line, owner, _ = connected()
    line.data_received(pack_ids(Kind.STARTED, [1]))
    assert owner.events == ["receive STARTED"]


@pytest.mark.parametrize(
    "data", [pack_json(Kind.READY, b"{}"), pack_json(Kind.FAILED, b"{"), b"\0" * 12 + b"\xff" + b"\0" * 12]
)
def test_nonsense(data: bytes) -> None:
    """What makes no sense is said once, and nothing that follows is read: the worker is to be killed."""
    line, owner, transport = connected()
    for _ in range(2):
        line.data_received(data)
        line.data_received(pack_ids(Kind.STARTED, [1]))
    assert [event.split()[0] for event in owner.events] == ["confused"]
    assert line.load.retired
    assert not transport.closed


def test_gone() -> None:
    """However the line ends, the owner is told."""
    line, owner, _ = connected()
    line.connection_lost(ConnectionResetError())
    assert owner.events == ["leave"]


def test_gone_without_memory() -> None:
    """Nothing that it may have said is worth more than an answer to what it held."""
    line, owner, _ = connected()
    line._socket = mock.Mock(recv=mock.Mock(side_effect=MemoryError))
    line.connection_lost(None)
    assert owner.events == ["leave"]


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("end", [lambda line: line.send([ticket(2)]), WorkerLine.abort])
def test_the_last_words_are_heard(
    end: Callable[[WorkerLine], None], new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """What a worker said before it died is heard before it is gone, also if its death shows when it is written to."""
    line, owner = lined()
    ours, its = socket.socketpair()
    ours.setblocking(False)

    async def talk() -> None:
        await line.connect(ours)
        its.sendall(pack_ids(Kind.STARTED, [1]))
        its.close()
        end(line)
        async with asyncio.timeout(5):
            await owner.left.wait()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(talk())
    assert owner.events == ["receive STARTED", "leave"]


def test_send() -> None:
    """Many requests travel in one frame, with their deadlines."""
    line, _, transport = connected()
    line.send([ticket(1), ticket(2)])
    (frame,) = FrameReader().feed(bytes(transport.written))
    assert unpack_runs(frame) == [Run(1, 31.0, b"{}"), Run(2, 31.0, b"{}")]


def test_allow() -> None:
    """A stream is told how much further it may go."""
    line, _, transport = connected()
    line.allow(ticket(7), 4096)
    (frame,) = FrameReader().feed(bytes(transport.written))
    assert (frame.kind, unpack_amounts(frame)) == (Kind.ALLOW, [(7, 4096)])


def test_cancel() -> None:
    """A request that nobody waits for is named to the worker."""
    line, _, transport = connected()
    line.cancel([ticket(7)])
    (frame,) = FrameReader().feed(bytes(transport.written))
    assert (frame.kind, unpack_ids(frame)) == (Kind.CANCEL, [7])
