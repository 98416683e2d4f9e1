"""The HTTP process as the supervisor sees it: started, spoken with, replaced when it dies or hangs."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Any

from litgen_runtime.supervisor.children import Children
from litgen_runtime.supervisor.restarts import Restarts
from litgen_runtime.supervisor.signals import Events
from litgen_runtime.transport.control import BEAT_S, Control

log = logging.getLogger(__name__)


class HttpChild:
    """One HTTP process at a time.

    Args:
        children: starts and kills it.
        events: tells when it has said something.
        hang_timeout_s: how long it may be silent before it is killed, in seconds; None for ever.
        obey: given each message.
        ended: told when and why it has ended.
    """

    def __init__(
        self,
        children: Children,
        events: Events,
        hang_timeout_s: float | None,
        obey: Callable[[dict[str, Any]], None],
        ended: Callable[[str], None],
    ) -> None:
        self.pid: int | None = None
        self.restarts = Restarts(max_restarts=0)
        self._children = children
        self._events = events
        self._hang_timeout_s = float("inf") if hang_timeout_s is None else hang_timeout_s
        self._obey = obey
        self._ended = ended
        self._silent_s = 0.0
        self._killed_for: str | None = None
        self._control: Control | None = None

    def start(self, listener: socket.socket, first: dict[str, Any]) -> None:
        """Start it, to serve on the listener, and tell it the first message.

        Raises:
            OSError: the system has no room for another process.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            inherited = [theirs.fileno(), listener.fileno()]
            try:
                self.pid = self._children.spawn(
                    "litgen_runtime.http", [str(fd) for fd in inherited], inherited, self._on_exit
                )
            except OSError:
                ours.close()
                raise
        self._killed_for = None
        self._control = Control(ours)
        self._events.watch(self._control.fileno(), self._on_readable)
        self.tell(first)

    def tell(self, message: dict[str, Any], descriptor: int | None = None) -> None:
        """Send a message; nothing happens when it is gone."""
        if self._control is not None:
            self._control.send(message, descriptor)

    def listening(self) -> None:
        """It serves from now on, and says so again and again."""
        self.restarts.ready()
        self._silent_s = 0.0

    def tick(self) -> None:
        """A beat has passed: one that has been silent for too long is killed.

        What counts is our own beats, not the clock: while the whole service is frozen neither of us does anything.
        """
        self._silent_s += BEAT_S
        if self.pid is not None and self._silent_s > self._hang_timeout_s and self._killed_for is None:
            self._killed_for = f"silent for service.hang_timeout_s, {self._hang_timeout_s:g} s"
            log.error("the HTTP process hangs: it has been %s; killed", self._killed_for)
            self._children.kill(self.pid)

    def kill(self) -> None:
        """Kill it, if it still runs."""
        if self.pid is not None:
            self._children.kill(self.pid)

    def _on_readable(self) -> None:
        if self._control is None:
            return
        try:
            messages = self._control.receive()
        except EOFError:
            self._events.forget(self._control.fileno())  # its end is reaped next
            return
        self._silent_s = 0.0
        for message in messages:
            self._obey(message)

    def _on_exit(self, cause: str) -> None:
        if self._control is not None:
            self._events.forget(self._control.fileno())
            self._control.close()
        self.pid = self._control = None
        self._ended(self._killed_for or cause)
