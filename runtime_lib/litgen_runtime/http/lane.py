"""The short way of a request, and the hot path: queued where its bytes were read, answered where its result arrives.

There is no task and no ASGI in between; with those, a request costs the HTTP process almost twice as much.
"""

from __future__ import annotations

import time
from typing import Protocol

from litgen_runtime.dispatcher.ticket import Ticket
from litgen_runtime.http.door import Call, Door
from litgen_runtime.http.messages import Answer, Head


class Connection(Protocol):
    """Where answers go."""

    def respond(self, answer: Answer, request_id: bytes) -> None:
        """Write a whole answer."""


class Exchange(Call):
    """One request on the short way. To uvicorn it looks like a request-response cycle of its own.

    Args:
        connection: the client's.
        door: the endpoint's.
        head: what the request's headers say.
        keep_alive: whether the connection is to stay open.
    """

    response_started = response_complete = disconnected = False
    _ticket: Ticket | None = None

    def __init__(self, connection: Connection, door: Door, head: Head, *, keep_alive: bool) -> None:
        super().__init__(head, time.monotonic())
        self.keep_alive = keep_alive
        self._connection = connection
        self._door = door

    def begin(self, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Queue it, or refuse it at once."""
        gate = self._door.gate
        try:
            if gate is not None:
                self.principal = gate.admit(headers)
            ticket = self._ticket = self._door.submit(self, body)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an owner's validator may raise even that
            self._respond(self._door.refuse(self, error))
            return
        ticket.on_done = self._done
        if not ticket.is_open:
            self._done()

    @property
    def message_event(self) -> Exchange:
        """What has a ``set``, all that uvicorn asks of it."""
        return self

    def set(self) -> None:
        """Something has happened to the connection: the client may be gone."""
        if self.disconnected and self._ticket is not None:
            self._door.abandon(self._ticket)

    def _done(self) -> None:
        ticket, self._ticket = self._ticket, None  # an idle connection must not hold what went over it
        if ticket is None:
            return
        try:
            answer = self._door.answer(self, ticket)
        except Exception as error:  # noqa: BLE001 - one bad answer must not end the line that it came over
            answer = self._door.refuse(self, error)
        self._respond(answer)

    def _respond(self, answer: Answer | None) -> None:
        self.response_started = self.response_complete = True
        if answer is None:
            return
        self.keep_alive = self.keep_alive and answer.headers.get("Connection") != "close"
        self._connection.respond(answer, self.request_id)
