"""A client's request that becomes somebody else's: what waits is taken out of the queue, and put back if need be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from litgen_runtime.dispatcher import refusals
from litgen_runtime.dispatcher.ticket import Ticket
from litgen_runtime.dispatcher.waiting import Waiting


class Handover:
    """One endpoint's.

    Args:
        waiting: what no worker holds.
        pump: sends what waits, in a moment.
        on_time: what happens at the deadline of a request.
    """

    def __init__(self, waiting: Waiting, pump: Callable[[], None], on_time: Callable[[Ticket], None]) -> None:
        self._waiting = waiting
        self._pump = pump
        self._on_time = on_time
        self._loop = asyncio.get_running_loop()

    def take(self, ticket: Ticket) -> bool:
        """Take out a request that waits, and has never run; False if it is not so."""
        return ticket.is_open and ticket.attempt == 1 and self._waiting.remove(ticket)

    def give_back(self, ticket: Ticket) -> None:
        """Let a request wait that was taken out; it is the next one, or cut as those are that waited on."""
        if self._waiting.is_closed:
            ticket.settle(refusals.drain_over())
        elif ticket.is_open:
            self._waiting.put_back([ticket])
            self._pump()

    def bound(self, ticket: Ticket, seconds: float) -> None:
        """Give a request that has had all the time it needs a deadline, so many seconds after it came."""
        ticket.deadline = ticket.arrived + seconds
        ticket.start_by = min(ticket.start_by, ticket.deadline)
        if ticket.timer is not None:
            ticket.timer.cancel()
        due = ticket.start_by if ticket.started is None else ticket.deadline
        if ticket.is_open and due != float("inf"):
            ticket.timer = self._loop.call_later(max(0.0, due - time.monotonic()), self._on_time, ticket)
