"""The life of a service: start, watch, drain, stop.

::

    starting ──listening──▶ running ──signal, POST /shutdown──▶ draining ──drained──▶ stopping ──▶ closing ──▶ exit 0
        │                      │                                    (a second signal: everything is killed, 128+n)
        └── cannot load, ──────┘── the HTTP process died or hung: it and the workers are started again
            cannot listen: exit 3

What becomes of each worker is ``workers.py``'s, what becomes of the HTTP process ``http_child.py``'s.
"""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Sequence
from enum import Enum
from typing import Any

from litgen_runtime import folders
from litgen_runtime.api_keys import Keyring, variable_of
from litgen_runtime.settings import Settings
from litgen_runtime.supervisor.children import Children
from litgen_runtime.supervisor.http_child import HttpChild
from litgen_runtime.supervisor.signals import Events
from litgen_runtime.supervisor.workers import KILL_GRACE_S, NO_ROOM_S, Workers
from litgen_runtime.transport.control import BEAT_S
from litgen_runtime.worker.spec import WorkerSpec

log = logging.getLogger(__name__)

_FLUSH_GRACE_S = 4.0
COULD_NEVER_START = 3


class State(Enum):
    """Where the service is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    STOPPING = "stopping"
    CLOSING = "closing"


class Supervisor:
    """Runs one service to its end.

    Args:
        settings: its choices.
        plan: its workers.
        listener: the bound, listening socket.
        shutdown_keys: what opens POST /shutdown.
        leftovers: files that the guardian removes after us, if they are there.
        keyring: who may use the endpoints; None: auth is off.
    """

    def __init__(
        self,
        settings: Settings,
        plan: list[WorkerSpec],
        listener: socket.socket,
        shutdown_keys: Sequence[str] = (),
        leftovers: Sequence[str] = (),
        keyring: Keyring | None = None,
    ) -> None:
        self._api_keys = None if keyring is None else keyring.to_json()
        self._webhook_secrets: list[str] | None = None
        self._settings = settings
        self._listener = listener
        self._shutdown_keys = list(shutdown_keys)
        self._state = State.STARTING
        self._exit_code: int | None = None
        self._signalled = False
        self._events = Events()
        self._folder = folders.run_folder(settings.service.name)
        self._children = Children(self._folder, leftovers, hidden={variable_of(settings.auth.keys) or ""})
        hang_timeout_s = settings.service.hang_timeout_s
        self._http = HttpChild(self._children, self._events, hang_timeout_s, self._obey, self._on_http_exit)
        self._workers = Workers(plan, settings, self._children, self._events, self)

    def run(self) -> int:
        """Return the exit code once the service has ended and nothing of it is left."""
        try:
            self._start_http()
            self._beat()
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

    @property
    def may_start_workers(self) -> bool:
        """Whether workers are wanted, so that one that ended is started again."""
        return self._state in (State.RUNNING, State.DRAINING)

    def tell(self, message: dict[str, Any], descriptor: int | None = None) -> None:
        """Send a message to the HTTP process."""
        self._http.tell(message, descriptor)

    def worker_ended(self) -> None:
        """A worker's process is gone."""
        if self._state is State.STOPPING:
            self._close_http_when_alone()

    def give_up(self, error: str) -> None:
        """End a service that can never start."""
        if self._exit_code is None and self._state in (State.STARTING, State.RUNNING):
            log.error("the service cannot start: %s", error)
            self._exit_code = COULD_NEVER_START

    def _start_http(self) -> None:
        if self._state is not State.STARTING:
            return
        settings = self._settings.model_dump(mode="json")
        first = {
            "settings": settings,
            "workers": self._workers.describe(),
            "shutdown_keys": self._shutdown_keys,
            "api_keys": self._api_keys,
            "webhook_secrets": self._webhook_secrets,
            "folder": self._folder,
        }
        try:
            self._http.start(self._listener, first)
        except OSError as error:
            log.error("the HTTP process cannot be started now: %s; again in %.1f s", error, NO_ROOM_S)
            self._events.later(NO_ROOM_S, self._start_http)

    def _beat(self) -> None:
        self._events.later(BEAT_S, self._beat)
        self._children.reap()  # a guardian that could not be started is tried again, whether another child ends or not
        if self._state is State.RUNNING:
            self._http.tick()
            self._workers.tick()

    def _obey(self, message: dict[str, Any]) -> None:
        match message["do"]:
            case "alive":
                self._workers.answered(message["answered"])
            case "api_keys":
                self._api_keys = message["entries"]  # for another HTTP process, should it come to that
            case "webhook_secrets":
                self._webhook_secrets = message["secrets"]
            case "listening":
                self._on_listening()
            case "failed":
                self.give_up(message["error"])
            case "shutdown":
                self._drain(message["by"])
            case "drained":
                self._stop_workers((message["calls"], message["jobs"]))
            case _:
                self._obey_for_worker(message)

    def _obey_for_worker(self, message: dict[str, Any]) -> None:
        match message["do"]:
            case "worker_ready":
                self._workers.ready(message["process"])
            case "worker_failed":
                self._workers.failed(message["process"], message["error"], final=message["final"])
            case "worker_retired":
                self._workers.kill_after_grace(message["process"])
            case "kill_worker":
                self._workers.kill(message["process"], message["cause"])

    def _on_listening(self) -> None:
        self._http.listening()
        if self._state is State.STARTING:
            self._state = State.RUNNING
        self._workers.start()

    def _on_http_exit(self, cause: str) -> None:
        folders.remove(self._folder)
        if self._state is State.CLOSING:
            log.info("stopped")
            self._exit_code = 0
        elif self._may_start_http_again() and (delay_s := self._http.restarts.ended()) is not None:
            log.error("the HTTP process ended (%s); it and the workers start again in %.1f s", cause, delay_s)
            self._state = State.STARTING
            self._children.kill_all()
            self._events.later(delay_s, self._start_http)
        elif self._exit_code is None:
            log.error("the HTTP process ended (%s)", cause)
            self._exit_code = COULD_NEVER_START if self._state is State.STARTING else 1

    def _may_start_http_again(self) -> bool:
        return self._state is State.RUNNING or (self._state is State.STARTING and self._http.restarts.served)

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
        if self._http.pid is None:  # it died a moment ago: nothing is in flight
            self._exit_code = 0
            return
        self.tell({"do": "drain"})
        choices = self._settings.shutdown
        patience_s = choices.delay_s + choices.drain_timeout_s + KILL_GRACE_S
        self._events.later(patience_s, lambda: self._stop_workers(None))

    def _stop_workers(self, cut: tuple[int, int] | None) -> None:
        if self._state is not State.DRAINING:
            return
        if cut is None:
            log.error("the HTTP process did not drain in time")
        elif any(cut):
            log.warning("the drain time was over; calls cut: %d, jobs told to stop: %d", *cut)
        self._state = State.STOPPING
        self._workers.kill_loading()
        self.tell({"do": "close_workers"})
        self._events.later(KILL_GRACE_S, self._workers.kill_all_late)
        self._close_http_when_alone()

    def _close_http_when_alone(self) -> None:
        if self._workers:
            return
        self._state = State.CLOSING
        self.tell({"do": "exit"})
        self._events.later(_FLUSH_GRACE_S, self._kill_http)

    def _kill_http(self) -> None:
        if self._http.pid is not None:
            log.warning("the HTTP process is still running, killed")
            self._http.kill()
