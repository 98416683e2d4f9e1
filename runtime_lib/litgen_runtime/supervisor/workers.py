"""Every worker of a service: started, started again, replaced when worn out. ``place.py`` draws the states."""

from __future__ import annotations

import itertools
import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from litgen_runtime.api_keys import variable_of
from litgen_runtime.settings import Settings
from litgen_runtime.supervisor.children import Children
from litgen_runtime.supervisor.environment import worker_environment
from litgen_runtime.supervisor.inspection import Inspection
from litgen_runtime.supervisor.place import Place, Process
from litgen_runtime.supervisor.recycling import Recycling
from litgen_runtime.supervisor.restarts import Restarts
from litgen_runtime.supervisor.signals import Events
from litgen_runtime.transport.frames import Kind, pack_json
from litgen_runtime.worker.cuda import BROKEN_EXIT_CODE
from litgen_runtime.worker.spec import WorkerSpec

log = logging.getLogger(__name__)

KILL_GRACE_S = 5.0
NO_ROOM_S = 1.0
_LINE_BYTES = 2_097_152
_CAUSES = {f"exit code {BROKEN_EXIT_CODE}": "CUDA context is broken"}


class Owner(Protocol):
    """What the supervisor is to its workers."""

    @property
    def may_start_workers(self) -> bool:
        """Whether workers are wanted, so that one that ended is started again."""

    def tell(self, message: dict[str, Any], descriptor: int | None = None) -> None:
        """Send a message to the HTTP process."""

    def give_up(self, error: str) -> None:
        """End a service that can never start."""

    def worker_ended(self) -> None:
        """A worker's process is gone."""


class Workers:
    """All places of a service.

    Args:
        plan: its workers.
        settings: its choices.
        children: starts and kills processes.
        events: wakes up later.
        owner: the supervisor.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        plan: Sequence[WorkerSpec],
        settings: Settings,
        children: Children,
        events: Events,
        owner: Owner,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        choices = {name: endpoint.workers for name, endpoint in settings.endpoints.items()}
        self._places = [Place(spec, Restarts(choices[spec.endpoint].max_restarts)) for spec in plan]
        self._recyclings = {name: Recycling(choice) for name, choice in choices.items()}
        self._inspection = Inspection(self._recyclings)
        self._processes: dict[int, Process] = {}
        self._numbers = itertools.count(1)
        self._children = children
        self._events = events
        self._owner = owner
        self._clock = clock
        self._hidden = {variable_of(settings.webhooks.secrets) or ""}

    def __bool__(self) -> bool:
        return bool(self._processes)

    def describe(self) -> list[dict[str, Any]]:
        """Return what the HTTP process has to know of every place."""
        specs = [place.spec for place in self._places]
        return [{"id": s.id, "label": s.label, "endpoint": s.endpoint, "device": s.device} for s in specs]

    def start(self) -> None:
        """Fill every place that is empty."""
        for place in self._places:
            self._start(place)

    def ready(self, number: int) -> None:
        """A process has loaded; one that replaces another takes over."""
        process = self._processes.get(number)
        if process is None:
            return
        process.loaded = True
        place = process.place
        place.restarts.ready()
        if process is place.successor and place.current is not None:
            place.retiring, place.current, place.successor = place.current, process, None
            self._recyclings[place.spec.endpoint].succeeded()
            log.info("%s: replaced; the old worker ends once it has answered what it holds", place.spec.label)
            self._owner.tell({"do": "retire", "process": place.retiring.number, "cause": place.worn_by})

    def failed(self, number: int, error: str, *, final: bool) -> None:
        """A process could not load; ``final``: it did not get as far as ``setup``, so another would not either."""
        process = self._processes.get(number)
        if process is None:
            return
        if final and not process.place.restarts.served:
            self._owner.give_up(f"{process.place.spec.label}: {error}")
            return
        process.error = error
        self._children.kill(process.pid)

    def kill(self, number: int, cause: str | None) -> None:
        """Kill a process; ``cause``: why its run has to end, None where there is none."""
        process = self._processes.get(number)
        if process is None:
            return
        if cause is not None:
            log.error("%s: killed, since %s", process.place.spec.label, cause)
            process.killed_for = "run-limit"
        self._children.kill(process.pid)

    def kill_after_grace(self, number: int) -> None:
        """A process has been told to end and has a moment for it."""
        self._events.later(KILL_GRACE_S, lambda: self._kill_late(number))

    def kill_loading(self) -> None:
        """Kill what has not loaded: it holds no request."""
        for process in list(self._processes.values()):
            if not process.loaded:
                self._children.kill(process.pid)

    def kill_all_late(self) -> None:
        """Kill what should have ended by now."""
        for number in list(self._processes):
            self._kill_late(number)

    def answered(self, counts: Sequence[tuple[int, int]]) -> None:
        """Take how many requests each process has answered: (number, count)."""
        for number, count in counts:
            if number in self._processes:
                self._processes[number].wear.answered = count

    def tick(self) -> None:
        """Replace what is worn out, one worker of an endpoint at a time."""
        for place, process in self._inspection.worn_out(self._places, self._clock()):
            log.info(
                "%s: past %s (%d requests answered, %.0f MB held): a replacement loads",
                place.spec.label,
                place.worn_by,
                process.wear.answered,
                process.wear.resident / 1e6,
            )
            try:
                place.successor = self._spawn(place, spare=True)
            except OSError as error:
                self._replacement_failed(place, f"it cannot be started now: {error}")

    def _start(self, place: Place) -> None:
        if not self._owner.may_start_workers or place.current is not None:
            return
        try:
            place.current = self._spawn(place, spare=False)
        except OSError as error:
            log.error("%s: cannot be started now: %s; again in %.1f s", place.spec.label, error, NO_ROOM_S)
            self._events.later(NO_ROOM_S, lambda: self._start(place))

    def _spawn(self, place: Place, *, spare: bool) -> Process:
        spec = place.spec
        process = Process(next(self._numbers), place, self._recyclings[spec.endpoint].new())
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LINE_BYTES)  # as far as the system allows
        with ours, theirs:
            process.pid = self._children.spawn(
                "litgen_runtime.worker",
                ["--fd", str(theirs.fileno()), spec.label],
                [theirs.fileno()],
                lambda cause: self._on_exit(process, cause),
                worker_environment(spec, os.environ, self._hidden),
            )
            self._processes[process.number] = process
            ours.sendall(pack_json(Kind.SPEC, spec.to_json()))
            message = {"do": "worker", "id": spec.id, "process": process.number, "spare": spare}
            self._owner.tell(message, ours.fileno())
        return process

    def _kill_late(self, number: int) -> None:
        process = self._processes.get(number)
        if process is not None:
            log.warning("%s: still running, killed", process.place.spec.label)
            self._children.kill(process.pid)

    def _on_exit(self, process: Process, cause: str) -> None:
        del self._processes[process.number]
        self._owner.worker_ended()
        cause = process.killed_for or _CAUSES.get(cause, cause)
        place = process.place
        if process is place.retiring:
            place.retiring = None
            self._gone(process, cause, None)
        elif process is place.successor:
            place.successor = None
            self._gone(process, cause, None)
            self._replacement_failed(place, process.error or f"it ended while loading ({cause})")
        else:
            place.current, place.successor = place.successor, None
            if place.current is None:
                self._start_again(process, cause)
            else:
                self._gone(process, cause, "loading")
                log.error("%s: ended (%s); its replacement loads already", place.spec.label, cause)

    def _start_again(self, process: Process, cause: str) -> None:
        place = process.place
        self._gone(process, cause if process.error is None else "setup-failed", "restarting")
        if not self._owner.may_start_workers:
            return
        delay_s = place.restarts.ended()
        if delay_s is None:
            self._owner.give_up(_hopeless(place, process, cause))
            return
        if process.error is None:
            log.error("%s: ended (%s); a new one starts in %.1f s", place.spec.label, cause, delay_s)
        else:  # before the first success the whole of it comes once, with the last try
            told = process.error if place.restarts.served else _last_line(process.error)
            log.error("%s: setup failed; tried again in %.1f s: %s", place.spec.label, delay_s, told)
        self._events.later(delay_s, lambda: self._start(place))

    def _replacement_failed(self, place: Place, why: str) -> None:
        if not self._owner.may_start_workers:
            return
        delay_s = self._recyclings[place.spec.endpoint].failed(self._clock())
        log.error(
            "%s: its replacement could not load beside it; it goes on, and another one is tried in %.0f s. %s",
            place.spec.label,
            delay_s,
            why,
        )

    def _gone(self, process: Process, cause: str, state: str | None) -> None:
        """Tell the HTTP process of an end, and what its place does now (None: what it did before)."""
        if not self._owner.may_start_workers:
            return
        error = None if process.error is None else _last_line(process.error)
        self._owner.tell(
            {"do": "worker_gone", "process": process.number, "cause": cause, "state": state, "error": error}
        )


def _hopeless(place: Place, process: Process, cause: str) -> str:
    times = f"{place.restarts.failures} times, with max_restarts = {place.restarts.max_restarts}"
    if process.error is not None:
        return f"{place.spec.label}: setup failed {times}\n{process.error}"
    return f"{place.spec.label}: ended while loading ({cause}) {times}"


def _last_line(error: str) -> str:
    return error.rstrip().rpartition("\n")[2][:500]
