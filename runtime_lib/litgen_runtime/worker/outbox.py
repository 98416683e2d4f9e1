"""What leaves a worker: answers are encoded, gathered into frames and written."""

from __future__ import annotations

import itertools
import queue
import socket
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from litgen_runtime.transport.frames import Result, pack_chunks, pack_results
from litgen_runtime.worker.codec import Codec


class Answers(NamedTuple):
    """What came of a batch: for each id in it what ``predict`` returned or raised, after so many seconds.

    The requests are here to be let go of by whoever writes: what a large one is made of takes long to free.
    """

    ids: Sequence[int]
    requests: Sequence[Any]
    outcomes: Sequence[Any]
    run_s: float


class Chunk(NamedTuple):
    """One item of a stream."""

    id: int
    body: bytes


Item: TypeAlias = bytes | Answers | Chunk | Result | threading.Event | None


class Outbox:
    """Encodes and writes, on whichever thread has nothing better to do.

    That is the running thread while nothing waits to be run: a lone request's answer is not handed over once more.
    Otherwise it is a thread of its own, so that encoding and writing overlap with ``predict``.

    Args:
        sock: the worker's end of its socketpair.
        codec: how this endpoint's answers are encoded.
        hands_over: False to write everything before ``put`` returns. Should this process die, the HTTP process then
            knows of each request whether it has begun, as it must where nothing may run twice.
    """

    def __init__(self, sock: socket.socket, codec: Codec, *, hands_over: bool = True) -> None:
        self._socket = sock
        self._codec = codec
        self._hands_over = hands_over
        self._queue: queue.SimpleQueue[tuple[bool, Item]] = queue.SimpleQueue()
        self._turn = threading.Lock()  # held by who writes
        self._handed = self._written = 0  # of what has its order; each is changed by one thread only
        self._writer = threading.Thread(target=self._write, name="line-writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._writer.start()

    def put(self, item: bytes | Answers | Chunk | Result, *, here: bool) -> None:
        """Send something, in the order of these calls, all of which the running thread makes.

        Args:
            item: what to send.
            here: whether this thread has time to do it, should the writer be idle.
        """
        if not self._hands_over:
            with self._turn:
                self._send([item])
        elif here and self._handed == self._written and self._turn.acquire(blocking=False):
            try:
                self._send([item])
            finally:
                self._turn.release()
        else:
            self._handed += 1
            self._queue.put((True, item))

    def put_aside(self, item: bytes | Result) -> None:
        """Send the answer of what never ran, or a note of what runs; from any thread, in no order."""
        if self._hands_over:
            self._queue.put((False, item))
        else:
            with self._turn:
                self._send([item])

    def flush(self, *, aside: bool = False) -> None:
        """Wait until everything put so far has been written; ``aside``: also what was put aside."""
        if aside or self._handed != self._written:
            done = threading.Event()
            self._queue.put((False, done))
            done.wait()

    def finish(self) -> None:
        """Wait until everything handed over has been written."""
        self._queue.put((False, None))
        self._writer.join()

    def _write(self) -> None:
        finished = False
        while not finished:
            waiting = [self._queue.get()]
            while not self._queue.empty():
                waiting.append(self._queue.get())
            items = [item for _, item in waiting]
            finished = None in items
            with self._turn:
                self._send(items)
            self._written += sum(in_order for in_order, _ in waiting)
            for item in items:
                if isinstance(item, threading.Event):
                    item.set()

    def _send(self, items: Sequence[Item]) -> None:
        try:  # noqa: SIM105 - a context manager costs as much as to pack an answer
            self._socket.sendall(b"".join(self._packed(items)))
        except OSError:  # the HTTP process is gone; the reader ends the worker
            pass

    def _packed(self, items: Sequence[Item]) -> list[bytes]:
        """Gather: one frame for all the answers between two notices, or for all the chunks between two answers."""
        if len(items) == 1 and isinstance(items[0], Answers):  # the usual case
            return pack_results(self._results(items[0]))
        buffers: list[bytes] = []
        for kind, group in itertools.groupby(items, key=_kind):
            together: list[Any] = list(group)
            if kind is bytes:
                buffers += together
            elif kind is Chunk:
                buffers += pack_chunks(together)
            elif kind is Result:
                buffers += pack_results([result for item in together for result in self._results(item)])
        return buffers

    def _results(self, item: Any) -> Sequence[Result]:
        if isinstance(item, Result):
            return (item,)
        outcomes = zip(item.ids, item.outcomes, strict=True)
        return [self._codec.encode(key, item.run_s, outcome) for key, outcome in outcomes]


def _kind(item: Item) -> type[Any]:
    return Result if isinstance(item, Answers) else type(item)
