"""A supervisor whose processes, signals and time are the test's."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from unittest import mock

from litgen_runtime.settings.load import validate
from litgen_runtime.supervisor import supervisor as module
from litgen_runtime.supervisor.plan import plan_workers
from litgen_runtime.supervisor.supervisor import Supervisor
from litgen_runtime.testing import FakeClock
from litgen_runtime.transport.control import Control
from tests.unit.runtime.mini import tables

HTTP = "litgen_runtime.http"
WORKER = "litgen_runtime.worker"


class FakeChildren:
    """Processes that end when a test says so; a killed one ends at once."""

    def __init__(self) -> None:
        self.modules: dict[int, str] = {}
        self.on_exit: dict[int, Callable[[str], None]] = {}
        self.killed: list[int] = []
        self.closed = False
        self.control: Control | None = None

    def spawn(
        self,
        name: str,
        arguments: Sequence[str],
        descriptors: Sequence[int],
        on_exit: Callable[[str], None],
        environ: Mapping[str, str] = os.environ,
    ) -> int:
        assert name == HTTP or not any("SHUTDOWN" in key for key in environ), "a model never sees the keys"
        pid = 100 + len(self.modules)
        self.modules[pid], self.on_exit[pid] = name, on_exit
        if name == HTTP:
            self.control = Control(socket.socket(fileno=os.dup(descriptors[0])))
        return pid

    def end(self, pid: int, cause: str = "exit code 1") -> None:
        if self.modules[pid] == HTTP and self.control is not None:
            self.control.close()
        self.on_exit.pop(pid)(cause)

    def kill(self, pid: int) -> None:
        self.killed.append(pid)

    def reap(self) -> None:
        """A test says when one has ended."""

    def kill_all(self) -> None:
        self.killed += list(self.on_exit)

    def close(self) -> None:
        self.closed = True

    def alive(self, name: str) -> list[int]:
        return [pid for pid in self.on_exit if self.modules[pid] == name]


class FakeEvents:
    """Timers by a fake clock; the rest is called by the test."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.watched: dict[int, Callable[[], None]] = {}

    def watch(self, descriptor: int, act: Callable[[], None]) -> None:
        self.watched[descriptor] = act

    def forget(self, descriptor: int) -> None:
        self.watched.pop(descriptor, None)

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        self.timers.append((self.clock() + delay_s, act))

    def wait(self) -> Iterator[signal.Signals]:
        yield from ()


class Stage:
    """A supervisor whose processes, signals and time are the test's."""

    def __init__(self, service: Mapping[str, Any] | None = None, **endpoint: Any) -> None:
        self.clock = FakeClock()
        self.documents: list[dict[str, Any]] = []  # what the HTTP process has been told
        self.children = FakeChildren()
        self.events = FakeEvents(self.clock)
        raw = tables(**endpoint)
        raw["service"] |= service or {}
        settings = validate(raw, "service.toml")
        listener = mock.Mock(spec=socket.socket)
        listener.fileno.return_value = 0
        with (
            mock.patch.object(module, "Children", return_value=self.children),
            mock.patch.object(module, "Events", return_value=self.events),
        ):
            self.supervisor = Supervisor(settings, plan_workers(settings, 0), listener)
        self.supervisor._workers._clock = self.clock
        self.supervisor._start_http()
        self.supervisor._beat()

    @property
    def exit_code(self) -> int | None:
        return self.supervisor._exit_code

    @property
    def workers(self) -> list[int]:
        return self.children.alive(WORKER)

    def say(self, **message: Any) -> None:
        """Let the HTTP process say something."""
        assert self.children.control is not None
        self.children.control.send(message)
        for act in list(self.events.watched.values()):
            act()

    def heard(self) -> list[str]:
        """Return what the HTTP process has been told since the last time."""
        assert self.children.control is not None
        heard: list[str] = []
        while messages := self.children.control.receive():
            for message in messages:
                self.documents.append(message)
                heard.append(message.get("do", "settings"))
                if message["fd"] is not None:
                    os.close(message["fd"])
        return heard

    def beats(self, count: int, **alive: Any) -> None:
        """Let so many beats pass; with ``answered`` the HTTP process is heard at each."""
        for _ in range(count):
            if alive:
                self.say(do="alive", **alive)
            self.pass_time(1.0)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        due = [timer for timer in self.events.timers if timer[0] <= self.clock()]
        self.events.timers = [timer for timer in self.events.timers if timer not in due]
        for _, act in due:
            act()

    def signal(self, number: signal.Signals) -> None:
        self.supervisor._on_signal(number)

    def close(self) -> None:
        for control in (self.children.control, self.supervisor._http._control):
            if control is not None:
                control.close()
