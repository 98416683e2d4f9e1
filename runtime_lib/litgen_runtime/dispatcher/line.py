"""The HTTP process's ends of the workers' lines."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
from collections.abc import Callable
from typing import Protocol

from litgen_runtime.dispatcher.assign import Load, StreamLoad
from litgen_runtime.dispatcher.ticket import Ticket
from litgen_runtime.transport.frames import (
    DROPPED,
    Frame,
    FrameReader,
    Kind,
    Result,
    pack_amounts,
    pack_ids,
    pack_runs,
    unpack_note,
)

_READ_BYTES = 262_144
_MOMENT_S = 0.1  # within which a worker's words have come, if it lives


class Failed(Protocol):
    """Who is told that a worker could not load."""

    def __call__(self, error: str, *, final: bool) -> None:
        """Take what it said; ``final``: it did not get as far as ``setup``."""


class Owner(Protocol):
    """Who gives a worker its requests and takes its answers."""

    max_size: int
    max_bytes: int
    streams: bool
    tells_starts: bool

    def join(self, line: WorkerLine) -> None:
        """A worker has finished loading."""

    def receive(self, line: WorkerLine, frame: Frame) -> None:
        """A worker has sent a frame."""

    def leave(self, line: WorkerLine) -> None:
        """A worker is gone."""


class WorkerLine(asyncio.Protocol):
    """One worker, from its birth to its end, and what it holds.

    Args:
        worker_id: the supervisor's number for its process.
        owner: the dispatcher of its endpoint.
        loaded: told how many seconds ``setup`` took.
        failed: told why it could not load.
        confused: told what happened over what it sent, after which nothing is read of it any more.
    """

    def __init__(
        self,
        worker_id: int,
        owner: Owner,
        loaded: Callable[[float], None],
        failed: Failed,
        confused: Callable[[Exception], None],
    ) -> None:
        self.worker_id = worker_id
        self.tickets: dict[int, Ticket] = {}  # in the order in which they were sent
        self.load = (StreamLoad if owner.streams else Load)(owner.max_size, max_bytes=owner.max_bytes)
        self.doomed: frozenset[Ticket] | None = None  # the worker is being killed, and what ran on for too long
        self.lag_s = 0.0  # how much longer than its run the latest answer took, from when the worker was free for it
        self.answered = 0
        self.ending = False  # the worker has said that it runs nothing more
        self._retired: Callable[[], None] | None = None
        self._tells_starts = owner.tells_starts
        self._free_since = 0.0
        self._owner = owner
        self._loaded = loaded
        self._failed = failed
        self._confused: Callable[[Exception], None] | None = confused
        self._frames = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None

    async def connect(self, sock: socket.socket) -> None:
        """Begin to talk over the socket that the supervisor made for this worker."""
        self._socket = sock
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=sock)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a stream always is one
        """Take the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take frames: first how loading went, then answers; where they make no sense the worker is to be killed."""
        if self._confused is None:
            return
        try:
            for frame in self._frames.feed(data):
                self._take(frame)
        except Exception as error:  # noqa: BLE001 - the border of a process: nothing it sends may end another one
            confused, self._confused = self._confused, None
            self.load.retired = True
            confused(error)

    def _take(self, frame: Frame) -> None:
        if frame.kind is Kind.READY:
            self._loaded(json.loads(bytes(frame.payload))["load_s"])
            self._owner.join(self)
        elif frame.kind is Kind.FAILED:
            failure = json.loads(bytes(frame.payload))
            self._failed(failure["error"], final=failure["final"])
        elif frame.kind is Kind.ENDING:
            self._give_back()
        elif frame.kind is Kind.NOTE:
            self._hear(frame)
        else:
            self._owner.receive(self, frame)

    def connection_lost(self, exc: Exception | None) -> None:
        """The worker is gone, whatever the reason: what it had said is heard, then what it held is somebody else's."""
        try:
            with contextlib.suppress(OSError, MemoryError):
                while self._socket is not None and (data := self._socket.recv(_READ_BYTES, socket.MSG_DONTWAIT)):
                    self.data_received(data)
        finally:
            self._owner.leave(self)  # whatever happens here: else its requests would have no answer, ever

    def hold(self, ticket: Ticket, now: float) -> None:
        """Note that a request goes to this worker."""
        ticket.line, ticket.sent, ticket.told, ticket.recalled = self, now, False, False
        self.tickets[ticket.id] = ticket
        self.load.send(len(ticket.body), patient=ticket.patient)

    def start(self, keys: list[int], now: float) -> None:
        """The worker has formed a batch of these."""
        self.load.start(len(keys), sum(self.tickets[key].patient for key in keys) if self.load.patient else 0)
        for key in keys:
            self.tickets[key].started = now

    def finish(self, result: Result, now: float) -> Ticket:
        """Take a request's answer; its place is free."""
        ticket = self.tickets.pop(result.id)
        started = self._tells_starts and ticket.started is not None
        self.load.finish(len(ticket.body), result.run_s, started=started, patient=ticket.patient)
        if result.status != DROPPED:
            self.lag_s = now - max(ticket.sent or now, self._free_since) - result.run_s
            self._free_since = now
            self.answered += 1
        self._end_if_done()
        return ticket

    def running(self) -> list[Ticket]:
        """Return what the worker runs now. If it says nothing of starts, it is the oldest it holds."""
        if self.ending:
            return []
        if self._tells_starts:
            return [ticket for ticket in self.tickets.values() if ticket.started is not None]
        return list(itertools.islice(self.tickets.values(), 1))

    def suspects(self, now: float) -> list[Ticket]:
        """Return what the worker may have died of.

        That is what it ran, if that is known. When it last told something a moment ago, it may have gone on to
        anything that it held: its words and answers are written beside its runs.
        """
        running = self.running()
        if self.ending or not running or self.ran_for(now) > _MOMENT_S:
            return running
        return list(self.tickets.values())

    def ahead(self) -> list[Ticket]:
        """Return what the worker holds and has not begun, as far as that is known and it may keep it."""
        tickets = list(self.tickets.values())
        if not self._tells_starts:
            del tickets[:1]
        return [ticket for ticket in tickets if ticket.started is None and not ticket.recalled]

    def note_running(self, now: float) -> None:
        """Date the start of what runs, where the worker does not say it."""
        if not self._tells_starts:
            for ticket in self.running():
                ticket.started = min(max(ticket.sent or now, self._free_since), now)

    def ran_for(self, now: float) -> float:
        """Return for how many seconds the present run has gone on."""
        self.note_running(now)
        return max((now - (ticket.started or now) for ticket in self.running()), default=0.0)

    def overdue(self, now: float, limit_s: float) -> list[Ticket]:
        """Return what has run for longer than so many seconds; of streams, each has a time of its own."""
        self.note_running(now)
        return [ticket for ticket in self.running() if now - (ticket.started or now) > limit_s]

    def deaf_for(self, now: float) -> float:
        """Return for how many seconds it has begun nothing of what it holds; 0 while it runs, or says no starts."""
        if not self._tells_starts or not self.tickets or self.ending or self.running():
            return 0.0
        oldest = next(iter(self.tickets.values()))
        return now - max(oldest.sent or now, self._free_since)

    def send(self, tickets: list[Ticket]) -> None:
        """Send requests, all in one frame."""
        if self._transport is not None:
            self._transport.writelines(pack_runs([(t.id, t.start_by, t.body, t.patient) for t in tickets]))

    def cancel(self, tickets: list[Ticket]) -> None:
        """Say that nobody waits for these any more."""
        if self._transport is not None and tickets:
            self._transport.write(pack_ids(Kind.CANCEL, [ticket.id for ticket in tickets]))

    def recall(self, tickets: list[Ticket]) -> None:
        """Ask for these back, unless they have begun."""
        if self._transport is not None:
            self._transport.write(pack_ids(Kind.RECALL, [ticket.id for ticket in tickets]))
            for ticket in tickets:
                ticket.recalled = True

    def allow(self, ticket: Ticket, amount: int) -> None:
        """Let a stream go on: its client has taken so many bytes."""
        if self._transport is not None:
            self._transport.write(pack_amounts([(ticket.id, amount)]))

    def retire(self, done: Callable[[], None] = lambda: None) -> None:
        """Get no more requests; once all it holds is answered, the line closes and ``done`` is called."""
        self.load.retired = True
        self._retired = done
        self._end_if_done()

    def _give_back(self) -> None:
        """The worker ends with its line, and nothing of what it holds has run or will."""
        self.ending = self.load.retired = True
        for ticket in self.tickets.values():
            ticket.started = None

    def _hear(self, frame: Frame) -> None:
        """Hand on what the owner's code says of what runs."""
        keys, text = unpack_note(frame)
        for key in keys:
            ticket = self.tickets.get(key)
            if ticket is not None and ticket.is_open and ticket.on_note is not None:
                ticket.on_note(text)

    def _end_if_done(self) -> None:
        if self._retired is not None and not self.tickets:
            done, self._retired = self._retired, None
            self.close()
            done()

    def close(self) -> None:
        """Let the worker read the end of its line, after which it ends itself."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Drop the line to a worker that has ended."""
        if self._transport is not None:
            self._transport.abort()
