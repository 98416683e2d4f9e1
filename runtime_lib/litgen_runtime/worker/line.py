"""The worker's end of its line to the HTTP process, with a thread for each direction.

Reading decodes and writing encodes, so that both overlap with ``predict`` wherever it releases the GIL.
"""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Sequence
from typing import Any

from litgen_runtime.batching import Reason
from litgen_runtime.errors import RequestError
from litgen_runtime.transport.frames import (
    DROPPED,
    Frame,
    FrameReader,
    Kind,
    Result,
    pack_batch,
    pack_json,
    pack_results,
    unpack_ids,
    unpack_runs,
)
from litgen_runtime.worker.codec import Codec, failure
from litgen_runtime.worker.inbox import Inbox
from litgen_runtime.worker.running import Running

_READ_BYTES = 262_144


class Line:
    """Feeds an inbox from a socket and answers on it.

    Args:
        sock: the worker's end of its socketpair.
        codec: how this endpoint's bodies are read and written.
        inbox: where decoded requests go.
        running: told what nobody waits for.
    """

    def __init__(self, sock: socket.socket, codec: Codec, inbox: Inbox, running: Running) -> None:
        self._socket = sock
        self._codec = codec
        self._inbox = inbox
        self._running = running
        self._frames = FrameReader()
        self._outgoing: queue.SimpleQueue[bytes | list[tuple[int, float, Any]] | Result | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="line-reader", daemon=True)
        self._writer = threading.Thread(target=self._write, name="line-writer", daemon=True)

    def start(self) -> None:
        """Begin to read requests and write answers."""
        self._reader.start()
        self._writer.start()

    def started(self, keys: Sequence[int], reason: Reason) -> None:
        """Say that a batch has taken these requests, and why it went."""
        self._outgoing.put(pack_batch(keys, reason))

    def answer(self, outcomes: list[tuple[int, float, Any]]) -> None:
        """Send outcomes: (id, seconds run, what predict returned or raised)."""
        self._outgoing.put(outcomes)

    def drop(self, keys: Sequence[int]) -> None:
        """Say that these requests were not run, since nobody waits for them."""
        for key in keys:
            self._outgoing.put(Result(key, DROPPED, 0.0, b""))

    def give_back(self) -> None:
        """Say that nothing of what this worker still holds will run here: it ends."""
        self._outgoing.put(pack_json(Kind.ENDING, b"{}"))

    def finish(self) -> None:
        """Wait until everything handed over has been written."""
        self._outgoing.put(None)
        self._writer.join()

    def _read(self) -> None:
        try:
            while data := self._socket.recv(_READ_BYTES):
                for frame in self._frames.feed(data):
                    self._take(frame)
        except OSError:
            pass  # the HTTP process is gone: the same as the end of the stream
        finally:
            self._inbox.close()

    def _take(self, frame: Frame) -> None:
        if frame.kind is Kind.CANCEL:
            keys = unpack_ids(frame)
            self._inbox.cancel(keys)
            self._running.cancel(keys)
            return
        items = []
        for run in unpack_runs(frame):
            try:
                items.append((run.id, self._codec.decode(run.body), run.deadline))
            except RequestError as error:
                self._outgoing.put(failure(run.id, 0.0, error))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - an owner's validator may raise anything
                self._outgoing.put(failure(run.id, 0.0, error))
        if items:
            self._inbox.add(items)

    def _write(self) -> None:
        finished = False
        while not finished:
            waiting = [self._outgoing.get()]
            while not self._outgoing.empty():
                waiting.append(self._outgoing.get())
            finished = waiting[-1] is None
            try:
                self._socket.sendall(b"".join(self._packed(waiting)))
            except OSError:
                return  # the HTTP process is gone; the reader ends the worker

    def _packed(self, waiting: list[Any]) -> list[bytes]:
        """Gather: one frame for all the answers between two notices."""
        buffers: list[bytes] = []
        results: list[Result] = []
        for item in waiting:
            if isinstance(item, Result):
                results.append(item)
            elif isinstance(item, list):
                results.extend(self._codec.encode(*outcome) for outcome in item)
            elif item is not None:
                if results:
                    buffers += pack_results(results)
                    results = []
                buffers.append(item)
        return buffers + pack_results(results) if results else buffers
