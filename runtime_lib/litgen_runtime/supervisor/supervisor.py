"""The life of a service: start, watch, drain, stop.

::

    starting ──listening──▶ running ──signal, POST /shutdown──▶ draining ──drained──▶ stopping ──▶ closing ──▶ exit 0
        │                      │                                    (a second signal: everything is killed, 128+n)
        └── setup raised, ─────┘── the HTTP process died: it and the workers are started again
            cannot listen: exit 3
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from litgen_runtime import folders
from litgen_runtime.settings import Settings
from litgen_runtime.supervisor.children import Children
from litgen_runtime.supervisor.restarts import Restarts
from litgen_runtime.supervisor.signals import Events
from litgen_runtime.transport.control import Control
from litgen_runtime.transport.frames import Kind, pack_json
from litgen_runtime.worker.spec import WorkerSpec

log = logging.getLogger(__name__)

KILL_GRACE_S = 5.0
_FLUSH_GRACE_S = 4.0
_NO_ROOM_S = 1.0
COULD_NEVER_START = 3


class State(Enum):
    """Where the service is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    STOPPING = "stopping"
    CLOSING = "closing"


@dataclass
class Place:
    """One worker that there should be, and the process that fills it now."""

    spec: WorkerSpec
    restarts: Restarts = field(default_factory=Restarts)
    pid: int | None = None
    loaded: bool = False
    killed_for: str | None = None


class Supervisor:
    """Runs one service to its end.

    Args:
        settings: its choices.
        plan: its workers.
        listener: the bound, listening socket.
        shutdown_keys: what opens POST /shutdown.
    """

    def __init__(
        self,
        settings: Settings,
        plan: list[WorkerSpec],
        listener: socket.socket,
        shutdown_keys: Sequence[str] = (),
    ) -> None:
        self._settings = settings
        self._places = {spec.id: Place(spec) for spec in plan}
        self._listener = listener
        self._shutdown_keys = list(shutdown_keys)
        self._state = State.STARTING
        self._exit_code: int | None = None
        self._signalled = False
        self._http_pid: int | None = None
        self._http_restarts = Restarts()
        self._events = Events()
        self._folder = folders.run_folder(settings.service.name)
        self._children = Children(self._folder)

    def run(self) -> int:
        """Return the exit code once the service has ended and nothing of it is left."""
        try:
            self._start_http()
            while self._exit_code is None:
                for number in self._events.wait():
                    if number is signal.SIGCHLD:
                        self._children.reap()
                    else:
                        self._on_signal(number)
        finally:
            self._children.close()
            folders.remove(self._folder)
            self._listener.close()
        return self._exit_code

    def _start_http(self) -> None:
        if self._state is not State.STARTING:
            return
        try:
            self._spawn_http()
        except OSError as error:
            log.error("the HTTP process cannot be started now: %s; again in %.1f s", error, _NO_ROOM_S)
            self._events.later(_NO_ROOM_S, self._start_http)

    def _spawn_http(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            inherited = [theirs.fileno(), self._listener.fileno()]
            self._http_pid = self._children.spawn(
                "litgen_runtime.http", [str(fd) for fd in inherited], inherited, self._on_http_exit
            )
        self._control = Control(ours)
        self._events.watch(self._control.fileno(), self._on_control)
        workers = [
            {"id": spec.id, "label": spec.label, "endpoint": spec.endpoint, "device": spec.device}
            for spec in (place.spec for place in self._places.values())
        ]
        settings = self._settings.model_dump(mode="json")
        keys = self._shutdown_keys
        self._control.send({"settings": settings, "workers": workers, "shutdown_keys": keys, "folder": self._folder})

    def _start_worker(self, place: Place) -> None:
        if self._state not in (State.RUNNING, State.DRAINING) or place.pid is not None:
            return
        place.loaded, place.killed_for = False, None
        try:
            self._spawn_worker(place)
        except OSError as error:
            log.error("%s: cannot be started now: %s; again in %.1f s", place.spec.label, error, _NO_ROOM_S)
            self._events.later(_NO_ROOM_S, lambda: self._start_worker(place))

    def _spawn_worker(self, place: Place) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            place.pid = self._children.spawn(
                "litgen_runtime.worker",
                ["--fd", str(theirs.fileno()), place.spec.label],
                [theirs.fileno()],
                lambda cause: self._on_worker_exit(place, cause),
                {key: value for key, value in os.environ.items() if not key.startswith("SHUTDOWN_API_KEY")},
            )
            ours.sendall(pack_json(Kind.SPEC, place.spec.to_json()))
            self._control.send({"do": "worker", "id": place.spec.id}, ours.fileno())

    def _on_control(self) -> None:
        try:
            messages = self._control.receive()
        except EOFError:
            self._events.forget(self._control.fileno())  # its end is reaped next
            return
        for message in messages:
            self._obey(message)

    def _obey(self, message: dict[str, Any]) -> None:
        match message["do"]:
            case "listening":
                self._on_listening()
            case "worker_ready":
                place = self._places[message["id"]]
                place.loaded = True
                place.restarts.ready()
            case "worker_failed":
                self._on_failed_load(self._places[message["id"]], message["error"])
            case "kill_worker":
                self._on_hung_worker(self._places[message["id"]], message["cause"])
            case "worker_unreachable":
                place = self._places[message["id"]]
                if place.pid is not None:
                    self._children.kill(place.pid)
            case "failed":
                self._give_up(message["error"])
            case "shutdown":
                self._drain(message["by"])
            case "drained":
                self._stop_workers(message["cut"])

    def _on_listening(self) -> None:
        self._http_restarts.ready()
        if self._state is State.STARTING:
            self._state = State.RUNNING
        for place in self._places.values():
            self._start_worker(place)

    def _on_failed_load(self, place: Place, error: str) -> None:
        if place.restarts.served:
            log.error("%s: setup raised on a restart\n%s", place.spec.label, error)
            if place.pid is not None:
                self._children.kill(place.pid)
        else:
            self._give_up(f"{place.spec.label}: setup failed\n{error}")

    def _on_hung_worker(self, place: Place, cause: str) -> None:
        if place.pid is not None:
            log.error("%s: killed, since %s", place.spec.label, cause)
            place.killed_for = "run-limit"
            self._children.kill(place.pid)

    def _on_worker_exit(self, place: Place, cause: str) -> None:
        place.pid, place.loaded = None, False
        if self._state is State.STOPPING:
            self._close_http_when_alone()
        if self._state not in (State.RUNNING, State.DRAINING):
            return
        self._control.send({"do": "worker_gone", "id": place.spec.id, "cause": place.killed_for or cause})
        delay_s = place.restarts.ended()
        if delay_s is None:
            self._give_up(f"{place.spec.label}: ended again while loading ({cause})")
            return
        log.error("%s: ended (%s); a new one starts in %.1f s", place.spec.label, cause, delay_s)
        self._events.later(delay_s, lambda: self._start_worker(place))

    def _on_http_exit(self, cause: str) -> None:
        self._events.forget(self._control.fileno())
        self._control.close()
        self._http_pid = None
        folders.remove(self._folder)
        if self._state is State.CLOSING:
            log.info("stopped")
            self._exit_code = 0
        elif self._may_start_http_again() and (delay_s := self._http_restarts.ended()) is not None:
            log.error("the HTTP process ended (%s); it and the workers start again in %.1f s", cause, delay_s)
            self._state = State.STARTING
            self._children.kill_all()
            self._events.later(delay_s, self._start_http)
        elif self._exit_code is None:
            log.error("the HTTP process ended (%s)", cause)
            self._exit_code = COULD_NEVER_START if self._state is State.STARTING else 1

    def _may_start_http_again(self) -> bool:
        return self._state is State.RUNNING or (self._state is State.STARTING and self._http_restarts.served)

    def _on_signal(self, number: signal.Signals) -> None:
        if self._signalled:
            log.warning("%s again: stopping at once", number.name)
            self._exit_code = 128 + number
            return
        self._signalled = True
        self._drain(number.name)

    def _drain(self, asked_by: str) -> None:
        if self._state not in (State.STARTING, State.RUNNING):
            return
        log.info("shutting down: %s", asked_by)
        self._state = State.DRAINING
        if self._http_pid is None:  # it died a moment ago: nothing is in flight
            self._exit_code = 0
            return
        self._control.send({"do": "drain"})
        choices = self._settings.shutdown
        patience_s = choices.delay_s + choices.drain_timeout_s + KILL_GRACE_S
        self._events.later(patience_s, lambda: self._stop_workers(None))

    def _stop_workers(self, cut: int | None) -> None:
        if self._state is not State.DRAINING:
            return
        if cut is None:
            log.error("the HTTP process did not drain in time")
        elif cut:
            log.warning("the drain time was over: %d requests were cut", cut)
        self._state = State.STOPPING
        for place in self._places.values():
            if place.pid is not None and not place.loaded:
                self._children.kill(place.pid)
        self._control.send({"do": "close_workers"})
        self._events.later(KILL_GRACE_S, self._kill_workers)
        self._close_http_when_alone()

    def _kill_workers(self) -> None:
        for place in self._places.values():
            if place.pid is not None:
                log.warning("%s: still running, killed", place.spec.label)
                self._children.kill(place.pid)

    def _close_http_when_alone(self) -> None:
        if any(place.pid is not None for place in self._places.values()):
            return
        self._state = State.CLOSING
        self._control.send({"do": "exit"})
        self._events.later(_FLUSH_GRACE_S, self._kill_http)

    def _kill_http(self) -> None:
        if self._http_pid is not None:
            log.warning("the HTTP process is still running, killed")
            self._children.kill(self._http_pid)

    def _give_up(self, error: str) -> None:
        if self._exit_code is None and self._state in (State.STARTING, State.RUNNING):
            log.error("the service cannot start: %s", error)
            self._exit_code = COULD_NEVER_START
