from __future__ import annotations

import math
from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from litgen_runtime.batching import Batcher, Reason
from litgen_runtime.testing import FakeClock
from litgen_runtime.worker import inbox as module
from litgen_runtime.worker.inbox import Arrival, Inbox


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Return the time that the inbox sees."""
    clock = FakeClock(10.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock))
    return clock


def arrival(key: int, deadline: float = math.inf, weight: float = 0.0) -> Arrival:
    """Return a decoded request."""
    return Arrival(key, f"request {key}", deadline, weight)


def test_what_arrives_is_batched(clock: FakeClock) -> None:
    """Requests wait with the time and the weight with which they came."""
    begun: list[Sequence[int]] = []
    inbox = Inbox(Batcher(8, 1.0, 5.0), begun.append)
    assert inbox.is_empty
    inbox.add([arrival(1, weight=3.0), arrival(2, weight=3.0)])
    assert not inbox.is_empty
    poll = inbox.poll(clock())
    assert poll.batch is not None
    assert (poll.batch.keys, poll.batch.items, poll.batch.reason) == ([1], ["request 1"], Reason.FULL)
    assert begun == [[1]]


def test_what_is_not_wanted_is_dropped(clock: FakeClock) -> None:
    """Cancelled and expired requests never run."""
    inbox = Inbox(Batcher(8, 1.0), lambda _: None)
    inbox.add([arrival(1), arrival(2, deadline=9.0)])
    inbox.cancel([1])
    poll = inbox.poll(clock())
    assert (poll.batch, poll.dropped) == (None, [1, 2])
    assert inbox.is_empty
