from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from litgen_runtime.batching import Batcher, Poll, Reason
from litgen_runtime.testing import FakeClock

INF = float("inf")


def filled(batcher: Batcher[int, str], arrivals: list[float]) -> Batcher[int, str]:
    """Return the batcher with an item for each arrival."""
    for key, now in enumerate(arrivals):
        batcher.add(key, f"item {key}", now, INF)
    return batcher


def keys(poll: Poll[int, str]) -> list[int]:
    """Return the keys that go now."""
    assert poll.batch is not None
    return poll.batch.keys


def test_a_device_that_rests() -> None:
    """It says so instead of being asked, and then whoever arrives alone is alone: there was no company for it."""
    batcher: Batcher[int, str] = Batcher(8, 5.0)
    assert batcher.rest()
    for key in range(30):
        batcher.add(key, "lone", key * 0.001, INF)
        assert not batcher.rest()
        poll = batcher.poll(key * 0.001)
        assert poll.batch is not None, "it does not wait for company that was never there"
        assert poll.batch.reason is Reason.ALONE
        assert batcher.rest()
    batcher.add(30, "unwanted", 1.0, INF)
    batcher.cancel(30)
    assert not batcher.rest(), "there is something to report"
    assert batcher.poll(1.0).dropped == [30]
    assert batcher.rest()


def test_nothing_to_do() -> None:
    """An empty batcher asks to be woken by the next arrival."""
    assert Batcher[int, str](4, 1.0).poll(0.0) == Poll([])


def test_full_goes_at_once() -> None:
    """As many as fit go without waiting for the window."""
    poll = filled(Batcher(3, 60.0), [0.0, 0.0, 0.0, 0.0]).poll(0.0)
    assert keys(poll) == [0, 1, 2]
    assert poll.batch is not None
    assert poll.batch.reason is Reason.FULL


def test_lone_item_goes_at_once() -> None:
    """A first request does not wait for company that nothing promises."""
    poll = filled(Batcher(8, 60.0), [5.0]).poll(5.0)
    assert poll.batch is not None
    assert poll.batch.reason is Reason.ALONE


def test_lone_item_after_silence_goes_at_once() -> None:
    """Requests further apart than the window never wait for one another."""
    batcher = Batcher[int, str](8, 1.0)
    for key in range(20):
        batcher.add(key, "item", 2.0 * key, INF)
        poll = batcher.poll(2.0 * key)
        assert keys(poll) == [key]


@pytest.mark.parametrize("run_s", [0.0, 0.25, 0.5])
def test_one_client_that_asks_again_at_once_never_waits(run_s: float) -> None:
    """Arrivals that each follow an answer come often and promise no company: the window is not waited out."""
    batcher, clock = Batcher[int, str](8, 1.0), FakeClock()
    for key in range(20):
        batcher.add(key, "item", clock(), INF)
        assert keys(batcher.poll(clock())) == [key]
        clock.advance(run_s)
        assert batcher.poll(clock()) == Poll([])
        clock.advance(0.125)


def test_clients_that_come_together_wait_for_one_another() -> None:
    """Where most arrivals find others waiting or running, the first of the next group waits for its company."""
    batcher, clock = Batcher[int, str](8, 1.0), FakeClock()
    for group in range(4):
        batcher.add(2 * group, "first", clock(), INF)
        batcher.add(2 * group + 1, "second", clock.advance(0.125), INF)
        assert keys(batcher.poll(clock.advance(1.0))) == [2 * group, 2 * group + 1]
        assert batcher.poll(clock.advance(0.5)) == Poll([])
    batcher.add(99, "first", clock(), INF)
    assert batcher.poll(clock()) == Poll([], wake_at=clock() + 1.0)


def test_company_is_waited_for() -> None:
    """Where arrivals come faster than the window, a partial batch waits until it ends."""
    batcher = filled(Batcher(8, 1.0), [0.0, 0.25, 0.5])
    poll = batcher.poll(0.5)
    assert poll.batch is None
    assert poll.wake_at == 1.0


def test_window_is_the_oldest_items() -> None:
    """The window is anchored at the oldest item: a newcomer does not extend it."""
    batcher = filled(Batcher(8, 1.0), [0.0, 0.25, 0.5, 0.75])
    poll = batcher.poll(1.0)
    assert keys(poll) == [0, 1, 2, 3]
    assert poll.batch is not None
    assert poll.batch.reason is Reason.WINDOW


def test_window_follows_the_oldest_that_lives() -> None:
    """Once the oldest is cancelled, the window is that of the next one."""
    batcher = filled(Batcher(8, 1.0), [0.0, 0.25, 0.5])
    batcher.cancel(0)
    assert batcher.poll(0.5) == Poll([0], wake_at=1.25)


def test_no_window() -> None:
    """With max_wait_s 0 nothing ever waits."""
    assert keys(filled(Batcher(8, 0.0), [0.0, 0.0]).poll(0.0)) == [0, 1]


def test_expired_item_makes_room() -> None:
    """An expired item is dropped and the batch is filled up with live ones behind it."""
    batcher = Batcher[int, str](2, 60.0)
    batcher.add(0, "late", 0.0, 1.0)
    batcher.add(1, "a", 0.0, INF)
    batcher.add(2, "b", 0.0, INF)
    poll = batcher.poll(1.0)
    assert keys(poll) == [1, 2]
    assert poll.dropped == [0]


def test_cancel_of_an_unknown_key() -> None:
    """To cancel what has already run, or never came, is fine and reports nothing."""
    batcher = filled(Batcher(1, 0.0), [0.0])
    batcher.poll(0.0)
    batcher.cancel(0)
    batcher.cancel(99)
    assert batcher.poll(0.0).dropped == []


def test_length_counts_what_waits() -> None:
    """``len`` is what has neither run nor been taken out."""
    batcher = filled(Batcher(1, 0.0), [0.0, 0.0, 0.0])
    batcher.cancel(2)
    batcher.poll(0.0)
    assert len(batcher) == 1


@dataclass
class Item:
    key: int
    arrived: float
    deadline: float
    weight: float
    patient: bool


class BatcherMachine(RuleBasedStateMachine):
    """Any order of arrivals, cancellations, polls and time, against a list.

    All times are quarters, so that sums are exact.
    """

    @initialize(max_size=st.integers(1, 5), quarters=st.integers(0, 12), max_weight=st.integers(1, 8) | st.just(INF))
    def begin(self, max_size: int, quarters: int, max_weight: float) -> None:
        self.clock = FakeClock(100.0)
        self.max_size, self.max_wait_s, self.max_weight = max_size, quarters / 4, max_weight
        self.batcher: Batcher[int, Item] = Batcher(max_size, self.max_wait_s, max_weight)
        self.items: list[Item] = []
        self.waiting: list[Item] = []
        self.cancelled: list[int] = []
        self.done: list[int] = []

    @rule(quarters=st.one_of(st.none(), st.integers(0, 20)), weight=st.integers(0, 9), patient=st.booleans())
    def add(self, quarters: int | None, weight: int, patient: bool) -> None:
        now = self.clock()
        item = Item(len(self.items), now, INF if quarters is None else now + quarters / 4, weight, patient)
        self.items.append(item)
        self.waiting.append(item)
        self.batcher.add(item.key, item, now, item.deadline, item.weight, patient=patient)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        key = data.draw(st.integers(0, len(self.items)))
        self.batcher.cancel(key)
        if any(item.key == key for item in self.waiting):
            self.waiting = [item for item in self.waiting if item.key != key]
            self.cancelled.append(key)

    @rule(quarters=st.integers(0, 8))
    def wait(self, quarters: int) -> None:
        self.clock.advance(quarters / 4)

    def fitting(self, live: list[Item]) -> tuple[int, bool]:
        """Return how many of the oldest fit in a batch, and whether it is full with them."""
        weight = 0.0
        for count, item in enumerate(live):
            if count == self.max_size or (count and weight + item.weight > self.max_weight):
                return count, True
            weight += item.weight
        return len(live), len(live) == self.max_size or weight >= self.max_weight

    @rule()
    def poll(self) -> None:
        now = self.clock()
        live = sorted((item for item in self.waiting if item.deadline > now), key=lambda item: item.patient)
        expired = {item.key for item in self.waiting} - {item.key for item in live}
        poll = self.batcher.poll(now)

        assert set(self.cancelled) <= set(poll.dropped), "a cancelled item is reported at the next poll"
        assert set(poll.dropped) <= expired | set(self.cancelled), "only what nobody waits for is dropped"
        fit, full = self.fitting(live)
        if live and full:
            assert poll.batch is not None, "full goes at once"
            assert poll.batch.reason is Reason.FULL
        if live and live[0].arrived + self.max_wait_s <= now:
            assert poll.batch is not None, "nothing is held past its window"
        if len(self.items) == 1 and live:
            assert poll.batch is not None, "a lone item without promised company goes at once"
        ran = [] if poll.batch is None else poll.batch.items
        assert ran == live[: len(ran)], "the oldest, patient ones last, none cancelled or expired"
        assert len(ran) in (0, fit), "bounded, and no fewer than fit"
        assert len(ran) == 1 or sum(item.weight for item in ran) <= self.max_weight, "no heavier than allowed"
        if not ran:
            assert poll.wake_at == (live[0].arrived + self.max_wait_s if live else None)

        keys = [] if poll.batch is None else poll.batch.keys
        assert keys == [item.key for item in ran], "each item with its own key"
        gone = keys + poll.dropped
        self.waiting = [item for item in self.waiting if item.key not in gone]
        self.cancelled = []
        self.done += gone

    @invariant()
    def length(self) -> None:
        assert len(self.batcher) == len(self.waiting)

    def teardown(self) -> None:
        for _ in range(len(self.items) + 1):
            self.clock.advance(100.0)
            self.poll()
        assert sorted(self.done) == [item.key for item in self.items], "each one ran or was reported, exactly once"


TestBatcher = BatcherMachine.TestCase
TestBatcher.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.lists(st.integers(0, 8), min_size=1, max_size=30), st.integers(1, 4), st.integers(0, 8))
def test_polled_at_its_wish_nothing_waits_longer_than_the_window(gaps: list[int], max_size: int, quarters: int) -> None:
    """A device that asks at each arrival and at each ``wake_at`` holds no item past its window."""
    batcher, clock = Batcher[int, float](max_size, quarters / 4), FakeClock()
    wake_at: float | None = None
    waited: list[float] = []

    def poll_until(time: float) -> None:
        nonlocal wake_at
        while wake_at is not None and wake_at <= time:
            poll_once(wake_at)
        poll_once(time)

    def poll_once(now: float) -> None:
        nonlocal wake_at
        while (poll := batcher.poll(now)).batch is not None:
            waited.extend(now - arrived for arrived in poll.batch.items)
        wake_at = poll.wake_at

    for key, gap in enumerate(gaps):
        clock.advance(gap / 4)
        if wake_at is not None:
            poll_until(clock())
        batcher.add(key, clock(), clock(), INF)
        poll_once(clock())
    poll_until(1e6)
    assert len(waited) == len(gaps)
    assert max(waited) <= quarters / 4
