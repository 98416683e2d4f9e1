"""The worker's end of its line to the HTTP process, and who reads it.

While nothing runs, the running thread reads by itself: a lone request is not handed over. Once a run has taken more
than a moment, another thread stands in and reads and decodes beside it, so that what runs next is ready, and what
nobody waits for any more is known. It goes on until it has read something for a running thread that waits for it.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from litgen_runtime.transport.frames import Frame, FrameReader, Kind, Run, unpack_amounts, unpack_ids, unpack_runs
from litgen_runtime.worker.codec import Codec, failure
from litgen_runtime.worker.inbox import Arrival
from litgen_runtime.worker.outbox import Outbox

_READ_BYTES = 262_144
_MOMENT_S = 0.005
_NAMEABLE = 1024  # FD_SETSIZE
_QUIET = 20  # moments without a run, after which nobody looks any more


class Work(Protocol):
    """Who runs what arrives."""

    def add(self, arrivals: Sequence[Arrival]) -> None:
        """Take decoded requests."""

    def cancel(self, keys: Sequence[int]) -> None:
        """Nobody waits for these any more."""

    def recall(self, keys: Sequence[int]) -> None:
        """Another worker has time for these."""

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
        self._turn = threading.Lock()  # held by who reads
        self._beside = self._known = 0  # how often the other thread has read, and how often the running one knows of
        self._arrived = _watch(sock.fileno())
        self._busy_since = 0.0  # when the running thread last read; 0 while it does
        self._nobody_looks = False  # whether a run takes long: then a run that begins has to release ``_look``
        self._look = threading.Lock()
        self._look.acquire()
        self._ended = False

    def start(self, *, beside: bool) -> None:
        """Begin to read.

        Args:
            beside: in another thread for good. Otherwise the running thread calls ``read`` when it has nothing to run.
        """
        target = self._read_on if beside else self._stand_in
        self._reader = threading.Thread(target=target, name="line-reader", daemon=True)
        self._reader.start()

    def finish(self) -> None:
        """Wait for the other thread's end, once the line has ended: frameworks do not bear one in the last moments."""
        if self._look.locked():
            self._look.release()
        self._reader.join()

    def read(self, at_most_s: float | None = None) -> None:
        """Wait for what comes next and take it; called by the running thread, for as long as nothing is to be run.

        It may return at once and without anything: then somebody else has read, and there is something to be looked at.

        Args:
            at_most_s: how long to wait, in seconds; None waits for ever.
        """
        self._busy_since = 0.0  # before the look at ``_beside``: the other thread writes and looks the other way round
        mine = self._turn.acquire(blocking=False)
        try:
            if self._known == self._beside:
                if not mine:
                    mine = self._turn.acquire(timeout=-1 if at_most_s is None else at_most_s)
                elif at_most_s is None or self._arrived(at_most_s):
                    self._receive()
            self._known = self._beside
        finally:
            if mine:
                self._turn.release()
            self._busy_since = time.monotonic()
            if self._nobody_looks and self._look.locked():
                self._look.release()

    def _stand_in(self) -> None:
        """Look now and then, for as long as anything runs at all, whether a run takes long; then read beside it."""
        quiet, rest_s = 0, _MOMENT_S
        while not self._ended:
            time.sleep(rest_s)
            busy_since, rest_s = self._busy_since, _MOMENT_S
            quiet = 0 if busy_since else quiet + 1
            if busy_since:
                rest_s = busy_since + _MOMENT_S - time.monotonic()
                if rest_s <= 0:
                    self._read_beside()
                    rest_s = _MOMENT_S
            elif quiet == _QUIET:
                quiet = 0
                self._nobody_looks = True
                if not self._busy_since:  # what begins after this look releases
                    self._look.acquire()
                self._nobody_looks = False

    def _read_beside(self) -> None:
        """Read until the running thread waits for what has been read."""
        with self._turn:
            while self._busy_since and not self._ended:
                self._receive()
                self._beside += 1

    def _read_on(self) -> None:
        while not self._ended:
            self._receive()

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_READ_BYTES)
        except OSError:
            data = b""  # the HTTP process is gone: the same as the end of the stream
        if not data:
            self._ended = True
            self._work.close()
        for frame in self._frames.feed(data):
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        if frame.kind is Kind.RUN:
            arrivals = [arrival for run in unpack_runs(frame) if (arrival := self._decoded(run)) is not None]
            if arrivals:
                self._work.add(arrivals)
        elif frame.kind is Kind.CANCEL:
            self._work.cancel(unpack_ids(frame))
        elif frame.kind is Kind.RECALL:
            self._work.recall(unpack_ids(frame))
        elif frame.kind is Kind.ALLOW:
            self._work.allow(unpack_amounts(frame))

    def _decoded(self, run: Run) -> Arrival | None:
        """Return a request as its model wants it; None for one that is refused, which is answered."""
        try:
            request = self._codec.decode(run.body)
            return Arrival(run.id, request, run.deadline, self._weigh(request), run.patient)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an owner's validator may raise anything
            self._outbox.put_aside(failure(run.id, 0.0, error))
            return None


def _watch(descriptor: int) -> Callable[[float | None], bool]:
    """Return what waits for bytes, at most so many seconds, and says whether there are any.

    ``select`` keeps a window to some microseconds, ``poll`` to a millisecond; but an owner's model may have opened so
    many files that ``select`` cannot name ours.
    """
    if descriptor < _NAMEABLE:
        return lambda at_most_s: bool(select.select([descriptor], [], [], at_most_s)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return lambda at_most_s: bool(poll.poll(None if at_most_s is None else at_most_s * 1000))
