"""What stands in for time, sockets and worker processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import selectors
from collections.abc import Coroutine, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar
from unittest import mock

from litgen_runtime.batching import Reason
from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.dispatcher.line import WorkerLine
from litgen_runtime.http.messages import App
from litgen_runtime.testing import FakeClock
from litgen_runtime.transport.frames import (
    DROPPED,
    FrameReader,
    Kind,
    Result,
    Run,
    pack_batch,
    pack_json,
    pack_results,
    unpack_ids,
    unpack_runs,
)

T = TypeVar("T")
_CLOCKED = ("dispatcher.dispatcher", "dispatcher.watch", "dispatcher.recall", "http.door", "http.probes")


class _Selector(selectors.SelectSelector):
    """Lets the clock jump instead of waiting."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if timeout is None and not events:
            raise RuntimeError("nothing can happen any more: the test waits for what nobody will do")
        if timeout and not events:
            self._clock.advance(timeout)
        return events


class FakeLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is a fake clock's: waiting takes no time."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(_Selector(clock))
        self._clock = clock

    def time(self) -> float:
        return self._clock()


def run(main: Coroutine[Any, Any, T], clock: FakeClock | None = None) -> T:
    """Run a coroutine in a fake loop; the runtime's modules see the same clock."""
    now = clock or FakeClock(1000.0)
    with contextlib.ExitStack() as stack:
        for module in _CLOCKED:
            stack.enter_context(mock.patch(f"litgen_runtime.{module}.time", SimpleNamespace(monotonic=now)))
        runner = stack.enter_context(asyncio.Runner(loop_factory=lambda: FakeLoop(now)))
        return runner.run(main)


async def turns(count: int = 3) -> None:
    """Let the loop do what is due."""
    for _ in range(count):
        await asyncio.sleep(0)


class FakeTransport(asyncio.Transport):
    """Keeps what is written; closing it ends the connection in the loop's next turn."""

    def __init__(self, protocol: asyncio.BaseProtocol | None = None) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = False
        self.ended = False
        self.aborted = False
        self.unread = 0
        self.protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.written += b"".join(list_of_data)

    def get_write_buffer_size(self) -> int:
        return self.unread

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """Nothing arrives by itself here."""

    def resume_reading(self) -> None:
        """Nothing arrives by itself here."""

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        was_open, self.closed = not self.closed, True
        if was_open and self.protocol is not None:
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.aborted = True
        self.close()


class FakeWorker:
    """A worker's end of a real ``WorkerLine``, on a transport that only remembers."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.load_s: list[float] = []
        self.failures: list[str] = []
        self.errors: list[Exception] = []
        self.line = WorkerLine(0, dispatcher, self.load_s.append, self._failed, self.errors.append)
        self.transport = FakeTransport(self.line)
        self.line.connection_made(self.transport)
        self.waiting: dict[int, Run] = {}
        self.running: dict[int, Run] = {}
        self.received: list[int] = []
        self.cancelled: list[int] = []
        self.recalled: list[int] = []
        self.frames = 0
        self._reader = FrameReader()

    def _failed(self, error: str, *, final: bool) -> None:
        self.failures.append(error)

    def ready(self, load_s: float = 0.5) -> FakeWorker:
        self.line.data_received(pack_json(Kind.READY, json.dumps({"load_s": load_s}).encode()))
        return self

    def read(self) -> list[Run]:
        """Take what the dispatcher has written."""
        data = bytes(self.transport.written)
        self.transport.written.clear()
        fresh: list[Run] = []
        for frame in self._reader.feed(data):
            self.frames += 1
            if frame.kind is Kind.CANCEL:
                self.cancelled += unpack_ids(frame)
            elif frame.kind is Kind.RECALL:
                self.recalled += unpack_ids(frame)
            else:
                fresh += unpack_runs(frame)
        self.waiting |= {run.id: run for run in fresh}
        self.received += [run.id for run in fresh]
        return fresh

    @property
    def held(self) -> int:
        return len(self.waiting) + len(self.running)

    def start(self, count: int) -> None:
        """Take a batch."""
        keys = list(self.waiting)[:count]
        self.running |= {key: self.waiting.pop(key) for key in keys}
        self.line.data_received(pack_batch(keys, Reason.FULL))

    def finish(self, run_s: float = 0.01) -> None:
        """Answer the batch: each body comes back."""
        self.answer([Result(run.id, 200, run_s, bytes(run.body)) for run in self.running.values()])
        self.running.clear()

    def echo(self) -> None:
        """Answer everything at once, as an unbatched worker does: without saying that it has started."""
        self.answer([Result(run.id, 200, 0.01, bytes(run.body)) for run in self.waiting.values()])
        self.waiting.clear()

    def drop(self) -> None:
        """Say that what was cancelled has not run."""
        self.give_back(key for key in dict.fromkeys(self.cancelled) if key in self.waiting)

    def give_back(self, ids: Iterable[int]) -> None:
        """Say that these have not run."""
        keys = list(ids)
        for key in keys:
            del self.waiting[key]
        self.answer([Result(key, DROPPED, 0.0, b"") for key in keys])

    def answer(self, results: list[Result]) -> None:
        self.line.data_received(b"".join(pack_results(results)))

    def die(self) -> None:
        self.waiting.clear()
        self.running.clear()
        self.line.connection_lost(None)


@dataclass
class Reply:
    """What an ASGI app answered."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(
    app: App,
    method: str = "POST",
    path: str = "/embed",
    body: bytes | list[bytes] = b"",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Send one request, in chunks where ``body`` is a list; an empty list is a client that left."""
    chunks = [body] if isinstance(body, bytes) else list(body)
    last = len(chunks) - 1
    messages: list[MutableMapping[str, Any]] = [
        {"type": "http.request", "body": chunk, "more_body": index < last} for index, chunk in enumerate(chunks)
    ]
    messages.append({"type": "http.disconnect"})
    reply = Reply()

    async def receive() -> MutableMapping[str, Any]:
        return messages.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert reply.status == 0, "two answers"
            reply.status = message["status"]
            reply.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
        else:
            reply.body += message["body"]

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in (headers or {}).items()],
        "client": ("192.0.2.7", 4711),
    }
    await app(scope, receive, send)
    return reply
