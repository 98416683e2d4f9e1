from __future__ import annotations

import asyncio
import logging

import pytest

from litgen_runtime.errors import Draining
from litgen_runtime.http.lifecycle import Lifecycle, WorkerState
from litgen_runtime.testing import FakeClock
from tests.unit.runtime.fakes import run


def lifecycle(*endpoints: str, clock: FakeClock | None = None) -> Lifecycle:
    """One worker for each name given."""
    workers = [WorkerState(i, f"{name}[{i}]", name, "cpu") for i, name in enumerate(endpoints)]
    return Lifecycle(workers, clock or FakeClock())


def loaded(*endpoints: str) -> Lifecycle:
    """The same, with every worker ready."""
    state = lifecycle(*endpoints)
    for worker_id in state.workers:
        state.loading(worker_id)
        state.ready(worker_id, 1.0)
    return state


def test_loading_until_the_last_worker() -> None:
    """The service is loading until every worker of every endpoint has finished."""
    state = lifecycle("a", "a", "b")
    for worker_id in (0, 2):
        state.loading(worker_id)
        state.ready(worker_id, 1.0)
        assert state.status == "loading"
    state.loading(1)
    assert state.status == "loading"
    state.ready(1, 1.0)
    assert state.status == "ready"


def test_says_what_it_waits_for() -> None:
    """Each missing worker is named with what it does and for how long."""
    clock = FakeClock(10.0)
    state = lifecycle("a", "b", clock=clock)
    state.loading(0)
    clock.advance(2.5)
    state.loading(1)
    assert state.missing() == ["a[0]: loading (2.5 s)", "b[1]: loading (0.0 s)"]
    assert state.missing("b") == ["b[1]: loading (0.0 s)"]


@pytest.mark.parametrize(
    ("endpoints", "lost", "status"),
    [
        (("a", "a"), [0], "degraded"),
        (("a", "a"), [0, 1], "unavailable"),
        (("a", "b"), [1], "unavailable"),
        (("a", "a", "b"), [0], "degraded"),
    ],
)
def test_lost_workers(endpoints: tuple[str, ...], lost: list[int], status: str) -> None:
    """A lost worker degrades the service while its endpoint has another, and takes it away otherwise."""
    state = loaded(*endpoints)
    for worker_id in lost:
        state.lost(worker_id, "restarting", "SIGKILL")
    assert state.status == status


@pytest.mark.parametrize(("lost", "status"), [([], "ready"), ([0], "degraded"), ([0, 1], "unavailable")])
def test_min_ready(lost: list[int], status: str) -> None:
    """An endpoint with fewer ready workers than its min_ready is not ready, and all that it lacks is named."""
    workers = [WorkerState(i, f"a[{i}]", "a", "cpu") for i in range(3)]
    state = Lifecycle(workers, FakeClock(), {"a": 2})
    for worker_id in range(3):
        state.loading(worker_id)
        state.ready(worker_id, 1.0)
    for worker_id in lost:
        state.lost(worker_id, "restarting", "SIGKILL")
    assert state.status == status
    assert len(state.missing()) == (len(lost) if status == "unavailable" else 0)


def test_min_ready_is_for_later() -> None:
    """At the start the service waits for every worker all the same."""
    state = Lifecycle([WorkerState(i, f"a[{i}]", "a", "cpu") for i in range(2)], FakeClock(), {"a": 1})
    state.loading(0)
    state.ready(0, 1.0)
    assert state.status == "loading"


def test_recovers() -> None:
    """With its replacement the service is ready again, and the restart is counted."""
    state = loaded("a")
    state.lost(0, "restarting", "SIGKILL")
    state.loading(0)
    assert state.status == "unavailable"
    state.ready(0, 1.0)
    assert state.status == "ready"
    assert state.workers[0].restarts == 1


def test_lost_before_ready() -> None:
    """A worker that dies while loading leaves the service loading."""
    state = lifecycle("a")
    state.loading(0)
    state.lost(0, "restarting", "SIGKILL")
    assert state.status == "loading"
    assert state.missing() == ["a[0]: restarting (0.0 s)"]


def test_has_served() -> None:
    """An endpoint has served once any of its workers was ready, and stays so when that dies."""
    state = lifecycle("a", "b")
    assert not state.has_served("a")
    state.loading(0)
    state.ready(0, 1.0)
    state.lost(0, "restarting", "SIGKILL")
    assert state.has_served("a")
    assert not state.has_served("b")


def test_draining() -> None:
    """A service that drains says nothing else."""
    state = loaded("a")
    state.draining = True
    assert state.status == "draining"


def test_refusing() -> None:
    """Newcomers are refused with what a client and a balancer need; what is in flight stays."""
    state = loaded("a")
    state.enter()
    state.refusing = True
    with pytest.raises(Draining) as refused:
        state.enter()
    assert refused.value.headers == {"Connection": "close", "Retry-After": "5"}
    assert state.in_flight == 1


def test_draining_still_serves() -> None:
    """Not ready is not refusing: during ``delay_s`` requests are served."""
    state = loaded("a")
    state.draining = True
    state.enter()
    assert state.in_flight == 1


def test_ready_is_said_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log says how long each load took, and "ready" only then and only once."""
    monkeypatch.setattr(logging.getLogger("litgen_runtime"), "propagate", True)
    with caplog.at_level(logging.INFO, "litgen_runtime"):
        state = loaded("a", "b")
        state.lost(0, "restarting", "SIGKILL")
        state.loading(0)
        state.ready(0, 2.0)
    lines = [record.getMessage() for record in caplog.records]
    assert lines.count("ready: all 2 workers have loaded") == 1
    assert lines.index("ready: all 2 workers have loaded") == 4
    assert lines[-1] == "a[0]: loaded in 2.00 s"


def test_idle_at_once() -> None:
    """With nothing in flight there is nothing to wait for."""
    assert run(lifecycle("a").idle(0.0))


def test_idle_once_the_last_has_gone() -> None:
    """The drain ends when the last request has been answered."""

    async def main() -> float:
        state, loop = lifecycle("a"), asyncio.get_running_loop()
        began = loop.time()
        state.enter()
        state.enter()
        loop.call_later(1.0, state.leave)
        loop.call_later(3.0, state.leave)
        assert await state.idle(30.0)
        return loop.time() - began

    assert run(main()) == pytest.approx(3.0)


def test_idle_too_late() -> None:
    """The drain ends at its time when something is still in flight."""

    async def main() -> float:
        state, loop = lifecycle("a"), asyncio.get_running_loop()
        began = loop.time()
        state.enter()
        assert not await state.idle(5.0)
        return loop.time() - began

    assert run(main()) == pytest.approx(5.0)


def test_ready_waits_for_the_owners_configure() -> None:
    """With every worker loaded the service is still loading until ``configure`` has run."""
    state = lifecycle("a")
    state.site_loading = True
    state.loading(0)
    state.ready(0, 1.0)
    assert (state.status, state.missing()) == ("loading", ["service.configure: running"])
    assert state.missing("a") == []
    state.site_loaded()
    assert state.status == "ready"
