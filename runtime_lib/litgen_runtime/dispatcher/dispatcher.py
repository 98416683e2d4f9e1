"""The queue of one endpoint and the workers behind it.

Every request that enters gets exactly one answer: a result, a timeout, or the reason why there is none.
A worker's place is free again only when the worker has answered or is dead, never because a client gave up.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import OrderedDict

from litgen_runtime.dispatcher.assign import Load, choose
from litgen_runtime.dispatcher.line import WorkerLine
from litgen_runtime.dispatcher.rate import DrainRate
from litgen_runtime.dispatcher.ticket import Ticket
from litgen_runtime.errors import DeadlineExceeded, Draining, QueueFull, RequestError, WorkerDied
from litgen_runtime.settings import EndpointSettings
from litgen_runtime.transport.frames import (
    DROPPED,
    Frame,
    Kind,
    Result,
    unpack_ids,
    unpack_results,
)

log = logging.getLogger(__name__)


class Dispatcher:
    """One endpoint's requests.

    Args:
        name: the endpoint.
        settings: its choices.
    """

    def __init__(self, name: str, settings: EndpointSettings) -> None:
        self.name = name
        self.max_size = settings.batching.max_size if settings.batching else 1
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._ids = itertools.count(1)
        self._waiting: OrderedDict[int, Ticket] = OrderedDict()
        self._lines: dict[Load, WorkerLine] = {}
        self._pump_due = False
        self._rate = DrainRate(time.monotonic())

    @property
    def queued(self) -> int:
        """Requests that no worker holds yet."""
        return len(self._waiting)

    @property
    def workers(self) -> int:
        """Workers that take requests."""
        return len(self._lines)

    def submit(self, body: bytes, arrived: float) -> Ticket:
        """Queue a request.

        Args:
            body: the raw body.
            arrived: when its headers were complete, CLOCK_MONOTONIC seconds.

        Raises:
            QueueFull: as many wait as ``queue.max_size`` allows.
        """
        if len(self._waiting) >= self._settings.queue.max_size:
            self._pump()  # what arrived in this turn of the loop may have a worker that is free for it
        if len(self._waiting) >= self._settings.queue.max_size:
            seconds = self._rate.seconds_for(len(self._waiting), time.monotonic())
            raise QueueFull(
                f"{len(self._waiting)} requests wait for {self.name}, the most it takes. Retry in {seconds} s.",
                {"Retry-After": str(seconds)},
            )
        timeout_s = self._settings.timeout_s
        deadline = float("inf") if timeout_s is None else arrived + timeout_s
        ticket = Ticket(next(self._ids), body, arrived, deadline, self._loop.create_future())
        if timeout_s is not None:
            ticket.timer = self._loop.call_later(deadline - time.monotonic(), self._expire, ticket, timeout_s)
        self._waiting[ticket.id] = ticket
        self._pump_soon()
        return ticket

    def join(self, line: WorkerLine) -> None:
        """A worker has finished loading."""
        self._lines[line.load] = line
        self._pump_soon()

    def leave(self, line: WorkerLine) -> None:
        """A worker is gone: what it held is answered."""
        self._lines.pop(line.load, None)
        held, line.tickets = line.tickets, {}
        for ticket in held.values():
            detail = f"The worker of {self.name} that held this request died. It may or may not have run; retry."
            ticket.refuse(WorkerDied(detail, {"Retry-After": "1"}))

    def receive(self, line: WorkerLine, frame: Frame) -> None:
        """Take one frame of a worker."""
        if frame.kind is Kind.STARTED:
            keys = unpack_ids(frame)
            line.load.start(len(keys))
            for key in keys:
                line.tickets[key].started = True
            return
        results = unpack_results(frame)
        for result in results:
            ticket = line.tickets.pop(result.id)
            line.load.finish(result.run_s, started=ticket.started)
            if result.status != DROPPED:
                self._settle(ticket, result)
        self._rate.count(time.monotonic(), len(results))
        self._pump_soon()

    def cut(self) -> int:
        """Answer whatever is still open with ``draining``; return how many that were."""
        open_tickets = [
            *self._waiting.values(),
            *(t for line in self._lines.values() for t in line.tickets.values()),
        ]
        self._waiting.clear()
        cut = [ticket for ticket in open_tickets if not ticket.answer.done()]
        for ticket in cut:
            detail = "The service stopped before this request was done: its drain time was over. Retry elsewhere."
            ticket.refuse(Draining(detail, {"Connection": "close"}))
        return len(cut)

    def close(self) -> None:
        """Let every worker end."""
        for line in list(self._lines.values()):
            line.close()

    def _pump_soon(self) -> None:
        """Send once an iteration of the loop: what arrives together travels together."""
        if not self._pump_due:
            self._pump_due = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_due = False
        outgoing: dict[WorkerLine, list[Ticket]] = {}
        while self._waiting and (load := choose(self._lines)) is not None:
            _, ticket = self._waiting.popitem(last=False)
            line = self._lines[load]
            load.send()
            ticket.sent = time.monotonic()
            line.tickets[ticket.id] = ticket
            outgoing.setdefault(line, []).append(ticket)
        for line, tickets in outgoing.items():
            line.send(tickets)

    def _settle(self, ticket: Ticket, result: Result) -> None:
        if ticket.settle(result) or result.status == 200:
            return
        error = RequestError.from_json(result.body)
        if error.log:
            log.error("%s: a request that nobody waits for any more failed: %s", self.name, error.log)

    def _expire(self, ticket: Ticket, timeout_s: float) -> None:
        now = time.monotonic()
        total = now - ticket.arrived
        if self._waiting.pop(ticket.id, None) is not None:
            where = f"It waited all of {total:.2f} s in the queue ({len(self._waiting)} others wait)"
        else:
            waited_s = (ticket.sent or now) - ticket.arrived
            where = f"After {waited_s:.2f} s in the queue it was with a worker, running or next in turn"
            for line in self._lines.values():
                if ticket.id in line.tickets:
                    line.cancel(ticket)
        detail = f"{self.name} did not answer within its timeout_s of {timeout_s:g} s. {where}."
        ticket.refuse(DeadlineExceeded(detail, waited_s=round((ticket.sent or now) - ticket.arrived, 3)))
