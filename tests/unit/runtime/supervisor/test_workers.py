from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from litgen_runtime.supervisor.inspection import Inspection
from litgen_runtime.worker.cuda import BROKEN_EXIT_CODE
from tests.unit.runtime.supervisor.stage import HTTP, Stage


def ready(**workers: Any) -> Stage:
    """Return a service whose workers, processes 1 and up, have loaded."""
    stage = Stage(workers=workers)
    stage.say(do="listening")
    for process in range(1, len(stage.workers) + 1):
        stage.say(do="worker_ready", process=process)
    stage.heard()
    stage.documents.clear()
    return stage


@pytest.fixture
def worn() -> Iterator[Stage]:
    """A service of two workers, the first of which has answered enough, and its replacement, process 3, loads."""
    stage = ready(per_device=2, max_requests=10)
    stage.beats(1, answered=[(1, 10), (2, 3)])
    yield stage
    stage.close()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """What is logged."""
    monkeypatch.setattr(logging.getLogger("litgen_runtime"), "propagate", True)
    caplog.set_level(logging.INFO, "litgen_runtime")
    return caplog


def test_replacement_first(worn: Stage) -> None:
    """The replacement starts while the old worker goes on; nothing is retired yet."""
    assert len(worn.workers) == 3
    assert worn.heard() == ["worker"]
    (message,) = worn.documents
    assert (message["id"], message["process"], message["spare"]) == (0, 3, True)


def test_then_the_old_one_retires(worn: Stage) -> None:
    """Once the replacement has loaded the old one is to finish, and its end starts nothing."""
    worn.heard()
    worn.documents.clear()
    worn.say(do="worker_ready", process=3)
    assert worn.heard() == ["retire"]
    assert (worn.documents[0]["process"], worn.documents[0]["cause"]) == (1, "max_requests")
    worn.say(do="worker_retired", process=1)
    worn.children.end(worn.workers[0], "exit code 0")
    assert worn.heard() == ["worker_gone"]
    assert worn.documents[-1]["state"] is None
    worn.beats(60, answered=[(2, 3), (3, 0)])
    assert len(worn.workers) == 2
    assert worn.children.killed == []


def test_one_at_a_time() -> None:
    """The next worker is replaced when the one before is gone, and not while it retires."""
    stage = ready(per_device=2, max_requests=10)
    counts = [(1, 10), (2, 10)]
    stage.beats(3, answered=counts)
    assert len(stage.workers) == 3
    stage.say(do="worker_ready", process=3)
    stage.beats(3, answered=counts)
    assert len(stage.workers) == 3
    stage.children.end(stage.workers[0], "exit code 0")
    stage.beats(1, answered=counts)
    assert len(stage.workers) == 3
    stage.close()


def test_an_old_one_that_does_not_end(worn: Stage) -> None:
    """From its last answer on it has five seconds; while it still runs something it has all the time."""
    old = worn.workers[0]
    worn.say(do="worker_ready", process=3)
    worn.beats(20, answered=[])
    assert worn.children.killed == []
    worn.say(do="worker_retired", process=1)
    worn.pass_time(4.9)
    assert worn.children.killed == []
    worn.pass_time(0.2)
    assert worn.children.killed == [old]


def test_a_replacement_that_cannot_load(worn: Stage, lines: pytest.LogCaptureFixture) -> None:
    """The old worker stays, and the next try is ten seconds later, then twenty."""
    old, other, spare = worn.workers
    counts = [(1, 11), (2, 3)]
    for wait_s in (10, 20):
        process = max(p.number for p in worn.supervisor._workers._processes.values())
        worn.say(do="worker_failed", process=process, error="Traceback\nOutOfMemoryError: no room", final=False)
        spare = worn.children.killed[-1]
        worn.children.end(spare, "SIGKILL")
        assert worn.workers == [old, other]
        worn.beats(wait_s - 1, answered=counts)
        assert worn.workers == [old, other]
        worn.beats(2, answered=counts)
        assert len(worn.workers) == 3
    assert worn.exit_code is None
    assert "another one is tried in 20 s. Traceback\nOutOfMemoryError: no room" in lines.text


def test_an_old_one_that_dies_first(worn: Stage) -> None:
    """Its replacement has the place at once: no other one is started, and nothing is retired."""
    worn.heard()
    worn.children.end(worn.workers[0], "SIGKILL")
    assert worn.heard() == ["worker_gone"]
    assert worn.documents[-1]["state"] == "loading"
    worn.pass_time(30.0)
    assert len(worn.workers) == 2
    worn.say(do="worker_ready", process=3)
    assert worn.heard() == []


def test_a_replacement_that_dies_later(worn: Stage) -> None:
    """One that has taken over is a worker like any other: it is started again."""
    worn.say(do="worker_ready", process=3)
    worn.heard()
    worn.children.end(worn.workers[2], "SIGKILL")
    assert worn.documents[-1]["do"] == "retire"
    worn.pass_time(0.6)
    assert worn.heard() == ["worker_gone", "worker"]
    assert worn.documents[-2]["state"] == "restarting"


def test_no_recycling_while_draining() -> None:
    """A service that ends does not begin what it would not finish."""
    stage = ready(max_requests=10)
    stage.signal(signal.SIGTERM)
    stage.beats(3, answered=[(1, 99)])
    assert len(stage.workers) == 1
    stage.close()


def test_stop_in_the_middle(worn: Stage) -> None:
    """A replacement that still loads is killed when workers are stopped; the service ends when both are gone."""
    worn.signal(signal.SIGTERM)
    worn.say(do="drained", calls=0, jobs=0)
    assert worn.children.killed == [worn.workers[2]]
    for pid in worn.workers:
        worn.children.end(pid, "exit code 0")
    assert worn.heard()[-1] == "exit"


def test_news_of_a_process_that_is_gone(worn: Stage) -> None:
    """What the HTTP process says of an ended process meets no other one."""
    worn.children.end(worn.workers[1], "SIGKILL")
    worn.pass_time(1.0)
    worn.say(do="kill_worker", process=2, cause="it hung")
    worn.say(do="worker_ready", process=2)
    worn.say(do="worker_failed", process=2, error="x", final=True)
    assert worn.children.killed == []
    assert worn.exit_code is None


def test_dead_http_process_in_the_middle(worn: Stage) -> None:
    """All processes of a place end with the HTTP process, and the place is filled by one again."""
    worn.children.end(100, "SIGKILL")
    for pid in worn.workers:
        worn.children.end(pid, "SIGKILL")
    worn.pass_time(1.0)
    assert len(worn.children.alive(HTTP)) == 1
    worn.say(do="listening")
    assert len(worn.workers) == 2


def test_setup_is_tried_again(lines: pytest.LogCaptureFixture) -> None:
    """Before the first success setup may fail max_restarts times; the end is told with the whole error."""
    stage = Stage(workers={"max_restarts": 1})
    stage.say(do="listening")
    for process in (1, 2):
        stage.say(do="worker_failed", process=process, error="Traceback\n  here\nOSError: no weights", final=False)
        stage.children.end(stage.workers[0], "SIGKILL")
        stage.pass_time(0.6)
    assert stage.exit_code == 3
    assert "setup failed; tried again in 0.5 s: OSError: no weights" in lines.text
    assert "setup failed 2 times, with max_restarts = 1\nTraceback\n  here\nOSError: no weights" in lines.text
    stage.close()


@pytest.mark.parametrize("final", [True, False])
def test_setup_that_fails_later(final: bool) -> None:
    """After a success nothing that a worker says ends the service, and /health is told the last line."""
    stage = ready(max_restarts=0)
    stage.children.end(stage.workers[0], "SIGKILL")
    for number in range(2, 12):
        stage.pass_time(31.0)
        stage.say(do="worker_failed", process=number, error="Traceback\nOSError: no weights", final=final)
        stage.children.end(stage.workers[0], "SIGKILL")
        stage.heard()
        assert stage.documents[-1]["error"] == "OSError: no weights"
        assert stage.documents[-1]["cause"] == "setup-failed"
    assert stage.exit_code is None
    stage.close()


def test_a_broken_cuda_context(lines: pytest.LogCaptureFixture) -> None:
    """The exit code by which a worker says so is put into words."""
    stage = ready()
    stage.children.end(stage.workers[0], f"exit code {BROKEN_EXIT_CODE}")
    stage.heard()
    assert stage.documents[-1]["cause"] == "CUDA context is broken"
    assert "ended (CUDA context is broken); a new one starts in 0.5 s" in lines.text
    stage.close()


def test_by_memory(lines: pytest.LogCaptureFixture) -> None:
    """What each worker's session holds is looked at every beat, and compared with what it held when it had loaded."""
    stage = ready(per_device=2, max_memory="100MB")
    first, second = stage.workers
    held = {first: 50_000_000, second: 300_000_000}
    stage.supervisor._workers._inspection = Inspection(stage.supervisor._workers._recyclings, lambda: held)
    stage.beats(2, answered=[])
    assert len(stage.workers) == 2
    assert lines.text.count("holds 300 MB when it has just loaded") == 1
    held[first] = 101_000_000
    stage.beats(2, answered=[])
    assert len(stage.workers) == 3
    assert "past max_memory (0 requests answered, 101 MB held): a replacement loads" in lines.text
    stage.close()


def test_no_room_for_a_replacement(lines: pytest.LogCaptureFixture) -> None:
    """Where no process can be started the old one stays, and it is tried again later."""
    stage = ready(max_requests=1)
    with mock.patch.object(stage.children, "spawn", side_effect=OSError("no room")):
        stage.beats(1, answered=[(1, 1)])
    assert "it cannot be started now: no room" in lines.text
    stage.beats(11, answered=[(1, 1)])
    assert len(stage.workers) == 2
    stage.close()
