"""The queue of one endpoint and the workers behind it.

Every request that enters gets exactly one answer: a result, a timeout, or the reason why there is none.
A worker's place is free again only when the worker has answered or is dead, never because a client gave up.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from litgen_runtime.batching import Reason
from litgen_runtime.dispatcher import refusals
from litgen_runtime.dispatcher.assign import Load, choose
from litgen_runtime.dispatcher.drain import Drain
from litgen_runtime.dispatcher.feed import Feed
from litgen_runtime.dispatcher.forecast import Forecast
from litgen_runtime.dispatcher.handover import Handover
from litgen_runtime.dispatcher.line import WorkerLine
from litgen_runtime.dispatcher.quarantine import Quarantine, digest
from litgen_runtime.dispatcher.rate import DrainRate
from litgen_runtime.dispatcher.recall import Recalls
from litgen_runtime.dispatcher.stats import Stats
from litgen_runtime.dispatcher.ticket import NotRun, Ticket
from litgen_runtime.dispatcher.waiting import Waiting
from litgen_runtime.dispatcher.watch import Watch
from litgen_runtime.errors import RequestError
from litgen_runtime.settings import EndpointSettings
from litgen_runtime.transport.bodies import SpooledBody
from litgen_runtime.transport.frames import DROPPED, Frame, Kind, Result, unpack_batch, unpack_chunks, unpack_results

log = logging.getLogger(__name__)

_MAX_ATTEMPTS = 2
_BUNCH = 16  # requests that are worth a frame of their own
_NEVER = float("inf")


class Dispatcher:
    """One endpoint's requests.

    Args:
        name: the endpoint.
        settings: its choices.
        kill: ends a worker's process; told which and why.
    """

    def __init__(self, name: str, settings: EndpointSettings, kill: Callable[[WorkerLine, str], None]) -> None:
        self.name = name
        self.stats = Stats()
        self.streams = settings.streaming is not None
        self.max_size = settings.at_once
        self._bunch = max(self.max_size, _BUNCH)
        self.tells_starts = settings.announces
        self.on_room: Callable[[], None] | None = None  # told when a patient request may be sent
        self.max_bytes = settings.queue.max_bytes
        self.timeout_s = _NEVER if settings.timeout_s is None else settings.timeout_s
        self._queue_s = _NEVER if settings.queue_timeout_s is None else settings.queue_timeout_s
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._ids = itertools.count(1)
        self._waiting = Waiting(settings.queue.max_size, settings.queue.max_bytes)
        self._quarantine = Quarantine(settings.quarantine_s, digest)
        self._lines: dict[Load, WorkerLine] = {}
        self._watch = Watch(settings, self._lines, kill)
        self._recalls = Recalls(self._lines, self._waiting)
        self._pump_due = False
        self.handover = Handover(self._waiting, self._pump_soon, self._on_time)
        self.drain = Drain(self._waiting, self._lines)
        self._forecast = Forecast()
        self._rate = DrainRate(time.monotonic())

    @property
    def queued(self) -> int:
        """Requests that no worker holds yet."""
        return self._waiting.count

    @property
    def queued_bytes(self) -> int:
        """The size of their bodies."""
        return self._waiting.bytes

    @property
    def arriving_bytes(self) -> int:
        """The size of bodies that are still arriving, as far as they have arrived."""
        return self._waiting.arriving

    @property
    def queue_age_s(self) -> float:
        """How long the oldest of them has waited, in seconds."""
        oldest = self._waiting.oldest
        return 0.0 if oldest is None else time.monotonic() - oldest.arrived

    @property
    def workers(self) -> int:
        """Workers that take requests."""
        return sum(not load.retired for load in self._lines)

    def submit(self, body: bytes, arrived: float, at_most_s: float = _NEVER, *, endless: bool = False) -> Ticket:
        """Queue a request.

        Args:
            body: the raw body.
            arrived: when its headers were complete, CLOCK_MONOTONIC seconds.
            at_most_s: how long the client itself will wait, in seconds.
            endless: whether it has more time than clients of this endpoint have; ``handover`` takes that back.

        Raises:
            QueueFull: as much waits as the queue may hold.
            Quarantined: this body has killed workers.
            Draining: what was open has been cut.
        """
        now = time.monotonic()
        if self._waiting.is_closed:
            raise refusals.drain_over()
        seconds = self._quarantine.holds(body, now)
        if seconds is not None:
            raise refusals.quarantined(self.name, seconds)
        size = body.size if isinstance(body, SpooledBody) else len(body)
        if not self._waiting.has_room(size):
            self._make_room(size)
        deadline = arrived + (at_most_s if endless else min(self.timeout_s, at_most_s))
        start_by = min(deadline, arrived + self._queue_s)
        ticket = Ticket(next(self._ids), body, arrived, deadline, start_by, size, Feed() if self.streams else None)
        if start_by != _NEVER:
            ticket.timer = self._loop.call_later(start_by - now, self._on_time, ticket)
        line = None if self._waiting.count or self.max_size > 1 else self._idle_line()
        if line is not None:
            self._send(line, [ticket], now)
            return ticket
        self._waiting.add(ticket)
        if self._waiting.count % self._bunch:
            self._pump_soon()
        else:
            self._pump()  # the worker begins while the rest of what has arrived is read
        return ticket

    @property
    def room(self) -> int:
        """How many patient requests workers have room for: none while a client's request waits.

        What may not run twice is sent ahead beside clients' requests only: should the process die, it counts as begun.
        """
        return 0 if self._waiting.count else sum(map(self._room, self._lines))

    def _room(self, load: Load) -> int:
        return load.room(ahead=self._settings.repeatable)

    def run_behind(self, bodies: Sequence[bytes]) -> list[Ticket]:
        """Send patient requests to workers, behind all others there.

        One that cannot run, or that its worker gives back, has the outcome ``NotRun``.

        Args:
            bodies: at most as many as there is room.
        """
        now, tickets = time.monotonic(), []
        outgoing: dict[WorkerLine, list[Ticket]] = {}
        for body in bodies:
            ticket = Ticket(next(self._ids), body, now, _NEVER, _NEVER, len(body), patient=True, goes_back=True)
            tickets.append(ticket)
            seconds = self._quarantine.holds(body, now)
            load = max(self._lines, key=self._room, default=None)
            if seconds is not None:
                ticket.settle(refusals.quarantined(self.name, seconds))
            elif load is None or load.retired:
                ticket.settle(NotRun())
            else:
                self._lines[load].hold(ticket, now)
                outgoing.setdefault(self._lines[load], []).append(ticket)
        self._ship(outgoing)
        self._recalls.soon()
        return tickets

    def stop(self, ticket: Ticket) -> None:
        """Take a request back that nobody waits for, or tell it to stop; its outcome follows."""
        if ticket.is_open:
            self._withdraw(ticket)

    def know_bodies_by(self, key_of: Callable[[bytes], bytes]) -> None:
        """Let the quarantine tell bodies apart by something else than all their bytes."""
        self._quarantine.key_of = key_of

    def reserve(self, size: int, held: int = 0) -> None:
        """Keep room for so many bytes more of a body that is arriving and has ``held``; ``release`` gives it back.

        Raises:
            QueueFull: there is no room.
        """
        if not self._waiting.has_room(size, held):
            self._make_room(size, held)
        self._waiting.arriving += size

    def release(self, size: int) -> None:
        """Give back what ``reserve`` kept."""
        self._waiting.arriving -= size

    def _make_room(self, size: int, held: int = 0) -> None:
        self._pump()  # what arrived in this turn of the loop may have a worker that is free for it
        if not self._waiting.has_room(size, held):
            waiting = self._waiting
            retry_s = self._rate.seconds_for(waiting.count, time.monotonic())
            raise refusals.queue_full(self.name, waiting.count, waiting.bytes, waiting.arriving, retry_s)

    def abandon(self, ticket: Ticket, error: Exception) -> None:
        """The client is gone: the request is not run, or its worker is told."""
        if ticket.settle(error):
            self.stats.cancellations["client-gone"] += 1
            self._withdraw(ticket)

    def taken(self, ticket: Ticket, amount: int) -> None:
        """The client has taken so many bytes of a stream."""
        if ticket.line is not None and ticket.is_open:
            ticket.line.allow(ticket, amount)

    def join(self, line: WorkerLine) -> None:
        """A worker has finished loading."""
        self._lines[line.load] = line
        self._pump_soon()
        self._recalls.soon()

    def leave(self, line: WorkerLine) -> None:
        """A worker is gone: what it ran is run again alone or answered, what it had not begun waits again."""
        self._lines.pop(line.load, None)
        ran = line.suspects(time.monotonic()) if self._settings.repeatable else line.running()
        rest = [ticket for ticket in line.tickets.values() if ticket.is_open and ticket not in ran]
        self._waiting.put_back(ticket for ticket in rest if not ticket.goes_back)
        for ticket in rest:
            if ticket.goes_back:
                ticket.settle(NotRun())
        line.tickets.clear()
        for ticket in ran:
            self._after_death(ticket, alone=len(ran) == 1, too_long=ticket in (line.doomed or ()))
        self._pump_soon()

    def receive(self, line: WorkerLine, frame: Frame) -> None:
        """Take one frame of a worker."""
        now, answered = time.monotonic(), 0
        if frame.kind is Kind.STARTED:
            keys, reason = unpack_batch(frame)
            line.start(keys, now)
            if not self.streams:
                self.stats.batched(len(keys), Reason(reason).name.lower())
            return
        if frame.kind is Kind.CHUNK:
            self._feed(line, frame)
            return
        for result in unpack_results(frame):
            ticket = line.finish(result, now)
            if result.status == DROPPED:
                self._settle_dropped(ticket)
            else:
                answered += 1
                self._forecast.note(result.run_s, line.lag_s, now)
                self._settle(ticket, result)
                sent = ticket.sent or now
                self.stats.ran(sent - ticket.arrived, now - sent, result.run_s)
        self._rate.count(now, answered)
        if self._waiting.count or line.load.reserved:
            self._pump_soon()
        elif not line.tickets:
            self._recalls.soon()
        self._offer_room()

    def _offer_room(self) -> None:
        if self.on_room is not None and self.room:
            self.on_room()

    def _feed(self, line: WorkerLine, frame: Frame) -> None:
        self.stats.items += frame.records
        for key, item in unpack_chunks(frame):
            ticket = line.tickets[key]
            if ticket.feed is not None and ticket.is_open:
                ticket.feed.push(item)

    def _idle_line(self) -> WorkerLine | None:
        """Return a worker that has nothing to do, so that there is nothing to gather for it."""
        for load, line in self._lines.items():
            if not (load.waiting or load.running or load.reserved or load.retired):
                return line
        return None

    def _send(self, line: WorkerLine, tickets: list[Ticket], now: float) -> None:
        for ticket in tickets:
            line.hold(ticket, now)
        line.send(tickets)
        self._watch.soon()

    def _pump_soon(self) -> None:
        """Send once an iteration of the loop: what arrives together travels together."""
        if not self._pump_due:
            self._pump_due = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_due = False
        now = time.monotonic()
        self._pump_suspects(now)
        outgoing: dict[WorkerLine, list[Ticket]] = {}
        while (load := choose(self._lines)) is not None and (ticket := self._waiting.next()) is not None:
            line = self._lines[load]
            if self._is_hopeless(ticket, line, now):
                continue
            line.hold(ticket, now)
            outgoing.setdefault(line, []).append(ticket)
        self._ship(outgoing)
        self._offer_room()

    def _ship(self, outgoing: Mapping[WorkerLine, list[Ticket]]) -> None:
        for line, tickets in outgoing.items():
            line.send(tickets)
        if outgoing:
            self._watch.soon()

    def _pump_suspects(self, now: float) -> None:
        """Send what ran when a worker died, each alone: to an idle worker, or to one that is kept free until it is."""
        while self._waiting.suspects and (lines := [line for load, line in self._lines.items() if not load.retired]):
            line = min(lines, key=lambda line: (line.load.held > 0, not line.load.reserved))
            line.load.reserved = True
            ticket = None if line.load.held else self._waiting.next_suspect()
            if ticket is None:
                break
            self._send(line, [ticket], now)
        if not self._waiting.suspects:
            for load, line in self._lines.items():
                load.reserved = load.reserved and any(ticket.attempt > 1 for ticket in line.tickets.values())

    def _is_hopeless(self, ticket: Ticket, line: WorkerLine, now: float) -> bool:
        """Refuse what cannot be done in time; now and then one runs all the same, since runs may have become faster."""
        ahead, remaining_s = line.load.rank[0], ticket.deadline - now
        if self.streams or remaining_s == _NEVER or not (ahead or self._waiting.count):
            return False  # nobody else would be served instead
        late = self._forecast.late(remaining_s, ahead, line.ran_for, now)
        if late is None:
            return False
        is_own = ticket.deadline < ticket.arrived + self.timeout_s
        ticket.settle(refusals.hopeless(self.name, remaining_s, late.run_s, late.needed_s, is_own=is_own))
        return True

    def _settle_dropped(self, ticket: Ticket) -> None:
        """Answer what a worker has stopped or left out, though its client still waits; what it gave back goes first."""
        if ticket.is_open and ticket.goes_back and (self.drain.is_over or not ticket.told):
            ticket.settle(NotRun())
        elif ticket.is_open and ticket.recalled:
            ticket.line = ticket.sent = ticket.started = None
            self._waiting.put_back([ticket])
        elif ticket.is_open and ticket.started is not None:
            ticket.settle(refusals.ran_too_long(self.name, self._settings.run_limit))

    def _settle(self, ticket: Ticket, result: Result) -> None:
        failed = result.status != 200
        if failed and (self.drain.is_over or ticket.told):  # whatever a run that has been stopped raises
            self._settle_dropped(ticket)
        elif ticket.settle(result) or not failed:
            return
        error = RequestError.from_json(result.body)
        if error.log:
            log.error("%s: a request that nobody waits for any more failed: %s", self.name, error.log)

    def _on_time(self, ticket: Ticket) -> None:
        """A deadline: the client's, or the one to have started by."""
        now = time.monotonic()
        if ticket.started is None and ticket.line is not None:
            ticket.line.note_running(now)
        if now < ticket.deadline and ticket.started is not None:
            if ticket.deadline != _NEVER:
                ticket.timer = self._loop.call_later(ticket.deadline - now, self._on_time, ticket)
            return
        self.stats.cancellations["timeout"] += 1
        self._withdraw(ticket)
        ticket.settle(refusals.timed_out(self.name, ticket, now, self._waiting.count, self.timeout_s))

    def _withdraw(self, ticket: Ticket) -> None:
        if self._waiting.remove(ticket):
            self._pump_soon()  # no worker is kept free for it any more
            if ticket.goes_back:
                ticket.settle(NotRun())
        elif ticket.line is not None:
            ticket.line.cancel([ticket])

    def _after_death(self, ticket: Ticket, *, alone: bool, too_long: bool) -> None:
        if self.drain.is_over:
            ticket.settle(NotRun())
        elif too_long:
            ticket.settle(refusals.ran_too_long(self.name, self._settings.run_limit))
        elif not self._settings.repeatable or (ticket.feed is not None and ticket.feed.began):
            ticket.settle(refusals.worker_died(self.name))
        elif ticket.attempt >= _MAX_ATTEMPTS and alone:
            self._quarantine.add(ticket.body, time.monotonic())
            ticket.settle(refusals.kills_workers(self.name, ticket.attempt))
        elif ticket.is_open:
            ticket.attempt += 1
            ticket.start_by = ticket.deadline  # it has begun in time once
            ticket.line = ticket.sent = ticket.started = None
            self._waiting.suspect(ticket)
