from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from unittest import mock

import pytest

from litgen_runtime.supervisor import supervisor as module
from litgen_runtime.supervisor.plan import plan_workers
from litgen_runtime.supervisor.supervisor import Supervisor
from litgen_runtime.testing import FakeClock
from litgen_runtime.transport.control import Control
from tests.unit.runtime.mini import choices

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

    def __init__(self, **endpoint: Any) -> None:
        self.clock = FakeClock()
        self.documents: list[dict[str, Any]] = []  # what the HTTP process has been told
        self.children = FakeChildren()
        self.events = FakeEvents(self.clock)
        settings = choices(**endpoint)
        listener = mock.Mock(spec=socket.socket)
        listener.fileno.return_value = 0
        with (
            mock.patch.object(module, "Children", return_value=self.children),
            mock.patch.object(module, "Events", return_value=self.events),
        ):
            self.supervisor = Supervisor(settings, plan_workers(settings, 0), listener)
        self.supervisor._start_http()

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


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A service of two workers, both ready."""
    stage = Stage(workers={"per_device": 2})
    stage.say(do="listening")
    for process in (1, 2):
        stage.say(do="worker_ready", process=process)
    stage.heard()
    yield stage
    stage.close()


@pytest.fixture
def loading() -> Iterator[Stage]:
    """A service of one worker that has not loaded yet."""
    stage = Stage()
    stage.say(do="listening")
    stage.heard()
    yield stage
    stage.close()


def drained(stage: Stage, cut: int = 0) -> None:
    """Let the HTTP process say that the drain is over."""
    stage.say(do="drained", cut=cut)


def test_http_first() -> None:
    """Workers start once the HTTP process listens, which is told the settings first of all."""
    stage = Stage()
    assert stage.workers == []
    assert stage.heard() == ["settings"]
    stage.say(do="listening")
    assert len(stage.workers) == 1
    assert stage.heard() == ["worker"]
    stage.close()


def test_drain_to_the_end(stage: Stage) -> None:
    """A signal drains, then stops the workers, then the HTTP process, and the exit code is 0."""
    stage.signal(signal.SIGTERM)
    assert stage.heard() == ["drain"]
    drained(stage)
    assert stage.heard() == ["close_workers"]
    for pid in stage.workers:
        stage.children.end(pid, "exit code 0")
    assert stage.heard() == ["exit"]
    assert stage.exit_code is None
    stage.children.end(100, "exit code 0")
    assert stage.exit_code == 0
    assert stage.children.killed == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_second_signal(stage: Stage, number: signal.Signals) -> None:
    """A second signal ends everything at once with 128 + n."""
    stage.signal(signal.SIGTERM)
    stage.signal(number)
    assert stage.exit_code == 128 + number


def test_signal_after_the_shutdown_api(stage: Stage) -> None:
    """A signal after POST /shutdown is the first one, and does not drain twice."""
    stage.say(do="shutdown", by="somebody")
    stage.signal(signal.SIGTERM)
    assert stage.exit_code is None
    assert stage.heard() == ["drain"]
    stage.signal(signal.SIGTERM)
    assert stage.exit_code == 143


def test_worker_that_does_not_end(stage: Stage) -> None:
    """A worker that ignores the end of its line is killed after five seconds, not sooner."""
    stage.signal(signal.SIGTERM)
    drained(stage)
    stage.pass_time(4.9)
    assert stage.children.killed == []
    stage.pass_time(0.2)
    assert stage.children.killed == stage.workers


def test_worker_that_still_loads(loading: Stage) -> None:
    """A worker that is still loading holds no request and is killed at once."""
    loading.signal(signal.SIGTERM)
    drained(loading)
    assert loading.children.killed == loading.workers


def test_http_process_that_does_not_drain(stage: Stage) -> None:
    """A drain that is not reported is over after its time and a grace."""
    stage.signal(signal.SIGTERM)
    stage.pass_time(34.9)
    assert "close_workers" not in stage.heard()
    stage.pass_time(0.2)
    assert stage.heard() == ["close_workers"]


def test_import_raises(loading: Stage) -> None:
    """A worker that does not get as far as ``setup`` means that the service could never start."""
    loading.say(do="worker_failed", process=1, error="no module", final=True)
    assert loading.exit_code == 3


def test_schemas_raise(loading: Stage) -> None:
    """So does anything that the HTTP process cannot import."""
    loading.say(do="failed", error="no module")
    assert loading.exit_code == 3


def test_setup_raises_on_a_restart(stage: Stage) -> None:
    """A replacement whose ``setup`` raises is killed and tried again: the service goes on."""
    pid = stage.workers[0]
    stage.say(do="worker_failed", process=1, error="no memory", final=False)
    assert stage.children.killed == [pid]
    assert stage.exit_code is None


def test_dead_worker_is_replaced(stage: Stage) -> None:
    """A dead worker is replaced after half a second, and the HTTP process knows at once."""
    stage.children.end(stage.workers[0], "SIGKILL")
    assert stage.heard() == ["worker_gone"]
    assert len(stage.workers) == 1
    stage.pass_time(0.49)
    assert len(stage.workers) == 1
    stage.pass_time(0.02)
    assert len(stage.workers) == 2
    assert stage.heard() == ["worker"]


def test_deaths_while_loading(loading: Stage) -> None:
    """A worker that dies once more than max_restarts before it has ever been ready ends the service with 3."""
    for _ in range(3):
        loading.children.end(loading.workers[0], "SIGSEGV")
        assert loading.exit_code is None
        loading.pass_time(30.0)
    loading.children.end(loading.workers[0], "SIGSEGV")
    assert loading.exit_code == 3


def test_no_client_can_stop_the_service(stage: Stage) -> None:
    """However often workers die after they have served, the service goes on."""
    for _ in range(20):
        stage.children.end(stage.workers[0], "SIGKILL")
        stage.pass_time(30.0)
        stage.heard()
    assert stage.exit_code is None
    assert len(stage.workers) == 2


def test_dead_http_process(stage: Stage) -> None:
    """If the HTTP process dies, the workers are killed and everything starts again."""
    stage.children.end(100, "SIGKILL")
    assert stage.exit_code is None
    assert stage.children.killed == stage.workers
    for pid in stage.workers:
        stage.children.end(pid, "SIGKILL")
    stage.pass_time(30.0)
    assert len(stage.children.alive(HTTP)) == 1
    assert stage.workers == []
    stage.say(do="listening")
    assert len(stage.workers) == 2


def test_http_process_that_never_listens() -> None:
    """An HTTP process that ends before it listens means that the service could never start."""
    stage = Stage()
    stage.children.end(100)
    assert stage.exit_code == 3
    stage.close()


def test_http_process_lost_while_draining(stage: Stage) -> None:
    """If it is lost during the drain, what was in flight is too: exit code 1."""
    stage.signal(signal.SIGTERM)
    stage.children.end(100, "SIGKILL")
    assert stage.exit_code == 1


def test_signal_while_http_restarts(stage: Stage) -> None:
    """With no HTTP process nothing is in flight: a signal ends the service."""
    stage.children.end(100, "SIGKILL")
    stage.signal(signal.SIGTERM)
    assert stage.exit_code == 0
    stage.pass_time(30.0)
    assert stage.children.alive(HTTP) == []


def test_worker_that_dies_while_draining(stage: Stage) -> None:
    """During the drain dead workers are still replaced: what is queued can be answered."""
    stage.signal(signal.SIGTERM)
    stage.children.end(stage.workers[0], "SIGKILL")
    stage.pass_time(1.0)
    assert len(stage.workers) == 2


def test_no_replacement_after_the_drain(stage: Stage) -> None:
    """Once workers are being stopped none is started."""
    stage.children.end(stage.workers[0], "SIGKILL")
    stage.signal(signal.SIGTERM)
    drained(stage)
    stage.pass_time(1.0)
    assert len(stage.workers) == 1
