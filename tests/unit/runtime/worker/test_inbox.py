from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from litgen_runtime.batching import Batcher, Reason
from litgen_runtime.testing import FakeClock
from litgen_runtime.worker import inbox as module
from litgen_runtime.worker.inbox import Arrival, Inbox


class FakeLock:
    """Waiting lets the fake clock go on, up to the time that was asked for."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.waits: list[float] = []
        self.held = True
        self.released = 0

    def locked(self) -> bool:
        return self.held

    def release(self) -> None:
        self.held = False
        self.released += 1

    def acquire(self, timeout: float) -> None:
        if self.held:
            self.waits.append(timeout)
            assert timeout >= 0, "nothing would ever wake it"
            self.clock.advance(timeout)
        self.held = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Return the time that the inbox sees."""
    clock = FakeClock(10.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock))
    return clock


def inbox(clock: FakeClock, max_size: int = 4, max_wait_s: float = 1.0) -> tuple[Inbox, FakeLock]:
    """Return an inbox whose waiting takes no time."""
    box = Inbox(Batcher(max_size, max_wait_s))
    changed = FakeLock(clock)
    box._changed = changed  # type: ignore[assignment]  # stands in for threads
    return box, changed


def arrival(key: int, request: str, deadline: float) -> Arrival:
    """Return a decoded request."""
    return Arrival(key, request, deadline, 0.0)


def taken(box: Inbox) -> Any:
    """Return what the inbox gives."""
    poll = box.take()
    assert poll is not None
    return poll


def test_lone_request_at_once(clock: FakeClock) -> None:
    """A lone request is taken without waiting."""
    box, changed = inbox(clock)
    box.add([arrival(1, "a", math.inf)])
    poll = taken(box)
    assert (poll.batch.items, poll.batch.reason) == ([(1, "a")], Reason.ALONE)
    assert changed.waits == []


def test_company_is_waited_for_without_polling(clock: FakeClock) -> None:
    """A partial batch sleeps once, until its window ends."""
    box, changed = inbox(clock)
    box.add([arrival(1, "a", math.inf), arrival(2, "b", math.inf)])
    poll = taken(box)
    assert (len(poll.batch.items), poll.batch.reason) == (2, Reason.WINDOW)
    assert changed.waits == [1.0]


def test_every_change_wakes(clock: FakeClock) -> None:
    """Arrivals, cancellations and the end wake whoever waits."""
    box, changed = inbox(clock)
    changes: list[Callable[[], None]] = [
        lambda: box.add([arrival(1, "a", math.inf)]),
        lambda: box.cancel([1]),
        box.close,
    ]
    for change in changes:
        changed.acquire(0.0)
        change()
        assert not changed.locked()
    box.close()
    assert changed.released == 3, "once is enough until somebody has looked"


def test_cancelled_is_reported_without_a_batch(clock: FakeClock) -> None:
    """What was cancelled is given back even when there is nothing to run."""
    box, _ = inbox(clock)
    box.add([arrival(1, "a", math.inf), arrival(2, "b", math.inf)])
    box.cancel([1, 2])
    poll = taken(box)
    assert (poll.batch, poll.dropped) == (None, [1, 2])


def test_expired_never_runs(clock: FakeClock) -> None:
    """A request past its deadline is given back, not run."""
    box, _ = inbox(clock)
    box.add([arrival(1, "a", 9.0)])
    poll = taken(box)
    assert (poll.batch, poll.dropped) == (None, [1])


def test_closed(clock: FakeClock) -> None:
    """Once the line has closed there is nothing to run, whatever waits."""
    box, _ = inbox(clock)
    box.add([arrival(1, "a", math.inf)])
    box.close()
    assert box.take() is None
