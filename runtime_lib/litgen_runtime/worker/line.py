"""The worker's end of its line to the HTTP process.

A thread reads and decodes, so that it overlaps with ``predict`` wherever that releases the GIL.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from litgen_runtime.transport.frames import Frame, FrameReader, Kind, unpack_amounts, unpack_ids, unpack_runs
from litgen_runtime.worker.codec import Codec, failure
from litgen_runtime.worker.inbox import Arrival
from litgen_runtime.worker.outbox import Outbox

_READ_BYTES = 262_144


class Work(Protocol):
    """Who runs what arrives."""

    def add(self, arrivals: Sequence[Arrival]) -> None:
        """Take decoded requests."""

    def cancel(self, keys: Sequence[int]) -> None:
        """Nobody waits for these any more."""

    def allow(self, amounts: Sequence[tuple[int, int]]) -> None:
        """Streams may send so much more: (id, amount)."""

    def close(self) -> None:
        """Nothing more will arrive."""


class Line:
    """Feeds the work from a socket.

    Args:
        sock: the worker's end of its socketpair.
        codec: how this endpoint's bodies are read.
        weigh: the weight of a request, in the owner's own unit.
        work: where decoded requests go.
        outbox: where the answers of those that are refused go.
    """

    def __init__(
        self, sock: socket.socket, codec: Codec, weigh: Callable[[Any], float], work: Work, outbox: Outbox
    ) -> None:
        self._socket = sock
        self._codec = codec
        self._weigh = weigh
        self._work = work
        self._outbox = outbox
        self._frames = FrameReader()
        self._reader = threading.Thread(target=self._read, name="line-reader", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._reader.start()

    def _read(self) -> None:
        try:
            while data := self._socket.recv(_READ_BYTES):
                for frame in self._frames.feed(data):
                    self._take(frame)
        except OSError:
            pass  # the HTTP process is gone: the same as the end of the stream
        finally:
            self._work.close()

    def _take(self, frame: Frame) -> None:
        if frame.kind is Kind.CANCEL:
            self._work.cancel(unpack_ids(frame))
        elif frame.kind is Kind.ALLOW:
            self._work.allow(unpack_amounts(frame))
        elif arrivals := list(self._arrivals(frame)):
            self._work.add(arrivals)

    def _arrivals(self, frame: Frame) -> Iterator[Arrival]:
        for run in unpack_runs(frame):
            try:
                request = self._codec.decode(run.body)
                yield Arrival(run.id, request, run.deadline, self._weigh(request))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - an owner's validator may raise anything
                self._outbox.put_aside(failure(run.id, 0.0, error))
