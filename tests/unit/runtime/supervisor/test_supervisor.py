from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.unit.runtime.supervisor.stage import HTTP, Stage


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


def drained(stage: Stage) -> None:
    """Let the HTTP process say that the drain is over."""
    stage.say(do="drained", calls=0, jobs=0)


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


def test_silent_http_process(stage: Stage) -> None:
    """An HTTP process that says nothing for hang_timeout_s is killed, once."""
    stage.beats(30)
    assert stage.children.killed == []
    stage.beats(3)
    assert stage.children.killed == [100]
    workers = stage.workers
    stage.children.end(100, "SIGKILL")
    assert stage.children.killed == [100, *workers]


def test_http_process_that_is_heard(stage: Stage) -> None:
    """One that says now and then that it is alive is left alone."""
    for _ in range(5):
        stage.beats(29)
        stage.beats(1, answered=[])
    assert stage.children.killed == []


def test_silence_before_it_listens() -> None:
    """What the owner's modules do while they are imported may take its time."""
    stage = Stage()
    stage.beats(100)
    assert stage.children.killed == []
    stage.close()


def test_frozen_service(stage: Stage) -> None:
    """Time that passes without a beat of our own, since all is frozen, is no silence."""
    stage.beats(10)
    stage.pass_time(3600.0)
    stage.beats(10)
    assert stage.children.killed == []


def test_hang_timeout_off() -> None:
    """``false`` never kills."""
    stage = Stage({"hang_timeout_s": False})
    stage.say(do="listening")
    stage.beats(1000)
    assert stage.children.killed == []
    stage.close()
