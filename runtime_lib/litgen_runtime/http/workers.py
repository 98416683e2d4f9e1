"""The HTTP process's lines to the workers: a place has one, and two while its worker is being replaced.

::

    worker (spare: false) ──▶ loading ──▶ ready, gets requests ──▶ retire: gets none ──▶ answered all: line closed
    worker (spare: true)  ──▶ loading ──▶ ready, gets requests beside the old one, until the supervisor retires that
    worker_gone, at any time: the line is cut, what it held waits again or is answered
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.dispatcher.line import WorkerLine
from litgen_runtime.http.lifecycle import Lifecycle

log = logging.getLogger(__name__)

_AS_ASKED = "exit code 0"


@dataclass
class _Known:
    """One process: which place it is for, and the line to it."""

    place: int
    line: WorkerLine
    retired: bool = False  # has been replaced


class Workers:
    """Every worker process, by the supervisor's number for it.

    Args:
        lifecycle: told what becomes of each place.
        dispatchers: the endpoints, by name.
        tell: sends the supervisor a message.
    """

    def __init__(
        self, lifecycle: Lifecycle, dispatchers: Mapping[str, Dispatcher], tell: Callable[[dict[str, Any]], None]
    ) -> None:
        self._lifecycle = lifecycle
        self._dispatchers = dispatchers
        self._tell = tell
        self._known: dict[int, _Known] = {}
        self._connecting: set[asyncio.Task[None]] = set()

    def adopt(self, message: dict[str, Any]) -> None:
        """Talk to a process that has just been started."""
        place, process = message["id"], message["process"]
        if message["fd"] is None:
            log.error("no descriptor is free for the line to a new worker")
            self._tell({"do": "kill_worker", "process": process, "cause": None})
            return
        sock = socket.socket(fileno=message["fd"])
        if not message["spare"]:
            self._lifecycle.loading(place)

        def loaded(load_s: float) -> None:
            if process not in self._known:  # it has ended in this moment
                return
            self._lifecycle.ready(place, load_s)
            self._tell({"do": "worker_ready", "process": process})

        def failed(error: str, *, final: bool) -> None:
            self._tell({"do": "worker_failed", "process": process, "error": error, "final": final})

        def confused(error: Exception) -> None:
            label = self._lifecycle.workers[place].label
            log.error("%s: what it sent makes no sense; it is killed and replaced", label, exc_info=error)
            self._tell({"do": "kill_worker", "process": process, "cause": None})

        line = WorkerLine(process, self._dispatcher(place), loaded, failed, confused)
        self._known[process] = _Known(place, line)
        task = asyncio.get_running_loop().create_task(line.connect(sock))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def gone(self, message: dict[str, Any]) -> None:
        """A process has ended: cut its line, since something that it forked may hold the other end."""
        known = self._known.pop(message["process"], None)
        if known is None:
            return
        known.line.abort()
        if message["state"] is not None:
            self._lifecycle.lost(known.place, message["state"], message["cause"], message["error"])
        elif message["error"] is not None:
            self._lifecycle.workers[known.place].last_error = message["error"]
        if not known.retired or message["cause"] != _AS_ASKED:
            self._dispatcher(known.place).stats.deaths[message["cause"]] += 1

    def all_gone(self) -> None:
        """No process is left: what their lines still hold has no other end."""
        for known in self._known.values():
            known.line.abort()

    def retire(self, message: dict[str, Any]) -> None:
        """Let a process that has been replaced answer what it holds, and then end."""
        known = self._known.get(message["process"])
        if known is None:
            return
        known.retired = True
        self._lifecycle.workers[known.place].recycles += 1
        self._dispatcher(known.place).stats.recycles[message["cause"]] += 1
        known.line.retire(lambda: self._tell({"do": "worker_retired", "process": message["process"]}))

    def kill(self, line: WorkerLine, cause: str) -> None:
        """Have a process killed."""
        self._tell({"do": "kill_worker", "process": line.worker_id, "cause": cause})

    def answered(self) -> list[tuple[int, int]]:
        """Return how many requests each process has answered."""
        return [(process, known.line.answered) for process, known in self._known.items()]

    def busy_for_s(self, place: int) -> float | None:
        """Return for how long the present run of a place's worker has gone on, in seconds; None: it runs nothing."""
        lines = [known.line for known in self._known.values() if known.place == place and not known.retired]
        busy = [line.ran_for(time.monotonic()) for line in lines if line.running()]
        return max(busy, default=None)

    def _dispatcher(self, place: int) -> Dispatcher:
        return self._dispatchers[self._lifecycle.workers[place].endpoint]
