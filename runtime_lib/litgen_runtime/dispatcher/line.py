"""The HTTP process's ends of the workers' lines."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Protocol

from litgen_runtime.dispatcher.assign import Load
from litgen_runtime.dispatcher.ticket import Ticket
from litgen_runtime.transport.frames import Frame, FrameReader, Kind, Run, pack_ids, pack_runs


class Owner(Protocol):
    """Who gives a worker its requests and takes its answers."""

    max_size: int

    def join(self, line: WorkerLine) -> None:
        """A worker has finished loading."""

    def receive(self, line: WorkerLine, frame: Frame) -> None:
        """A worker has sent a frame."""

    def leave(self, line: WorkerLine) -> None:
        """A worker is gone."""


class WorkerLine(asyncio.Protocol):
    """One worker, from its birth to its end, and what it holds.

    Args:
        owner: the dispatcher of its endpoint.
        loaded: told how many seconds ``setup`` took.
        failed: told why ``setup`` failed.
    """

    def __init__(self, owner: Owner, loaded: Callable[[float], None], failed: Callable[[str], None]) -> None:
        self.tickets: dict[int, Ticket] = {}
        self.load = Load(owner.max_size)
        self._owner = owner
        self._loaded = loaded
        self._failed = failed
        self._frames = FrameReader()
        self._transport: asyncio.Transport | None = None

    async def connect(self, sock: socket.socket) -> None:
        """Begin to talk over the socket that the supervisor made for this worker."""
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=sock)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a stream always is one
        """Take the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take frames: first how loading went, then answers."""
        for frame in self._frames.feed(data):
            if frame.kind is Kind.READY:
                self._loaded(json.loads(bytes(frame.payload))["load_s"])
                self._owner.join(self)
            elif frame.kind is Kind.FAILED:
                self._failed(json.loads(bytes(frame.payload))["error"])
            else:
                self._owner.receive(self, frame)

    def connection_lost(self, exc: Exception | None) -> None:
        """The worker is gone, whatever the reason."""
        self._owner.leave(self)

    def send(self, tickets: list[Ticket]) -> None:
        """Send requests, all in one frame."""
        if self._transport is not None:
            self._transport.writelines(pack_runs([Run(t.id, t.deadline, t.body) for t in tickets]))

    def cancel(self, ticket: Ticket) -> None:
        """Say that nobody waits for this request any more."""
        if self._transport is not None:
            self._transport.write(pack_ids(Kind.CANCEL, [ticket.id]))

    def close(self) -> None:
        """Let the worker read the end of its line, after which it ends itself."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Drop the line to a worker that has ended."""
        if self._transport is not None:
            self._transport.abort()
