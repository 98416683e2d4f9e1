"""The schedule of attempts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime.jobs.delivery import Delivery, DeliveryStatus
from litgen_runtime.webhooks.schedule import JITTER, Attempt, after, again, first_due, retry_after_s
from tests.unit.runtime.mini import choices

NEW = Delivery("msg_1", "job_1", "job.succeeded", "https://a/", "a:443", DeliveryStatus.PENDING, 100.0, 100.0)
OK = Attempt(204)
DOWN = Attempt(error="no connection")
SCHEDULES = st.lists(st.floats(0, 1e5), min_size=1, max_size=12)


@given(SCHEDULES, st.floats(-1, 1))
def test_a_receiver_that_stays_down(schedule_s: list[float], jitter: float) -> None:
    """It is asked as often as the schedule has entries, each within a fifth of its time, and then given up."""
    now = first_due(schedule_s, 100.0, jitter)
    delivery = replace(NEW, due=now)
    for wait_s in schedule_s[1:]:
        delivery = after(delivery, DOWN, schedule_s, now, jitter)
        assert delivery.status is DeliveryStatus.PENDING
        assert wait_s * (1 - JITTER) - 1e-6 <= delivery.due - now <= wait_s * (1 + JITTER) + 1e-6
        now = delivery.due
    delivery = after(delivery, DOWN, schedule_s, now, jitter)
    assert (delivery.status, delivery.attempts, delivery.ended_at) == (DeliveryStatus.DEAD, len(schedule_s), now)
    renewed = again(delivery, now + 5)
    assert (renewed.status, renewed.due, renewed.step, renewed.ended_at) == (DeliveryStatus.PENDING, now + 5, 0, None)
    assert (renewed.id, renewed.attempts) == (delivery.id, delivery.attempts)


def test_the_default_schedule() -> None:
    """Ten attempts over about three days."""
    schedule_s = choices().webhooks.schedule_s
    assert (schedule_s[:3], len(schedule_s)) == ((0.0, 5.0, 300.0), 10)
    assert 3 <= sum(schedule_s) / 86_400 < 3.5


@given(SCHEDULES, st.integers(0, 11))
def test_what_ends_it(schedule_s: list[float], step: int) -> None:
    """An answer of 2xx, a 410, an address that is not allowed."""
    delivery = replace(NEW, step=step)
    assert after(delivery, OK, schedule_s, 200.0).status is DeliveryStatus.DELIVERED
    assert after(delivery, Attempt(410, "it answers 410"), schedule_s, 200.0).status is DeliveryStatus.DEAD
    assert after(delivery, Attempt(error="x", blocked=True), schedule_s, 200.0).status is DeliveryStatus.BLOCKED


@pytest.mark.parametrize(("asked", "granted"), [(0.0, 1.0), (-5.0, 1.0), (2.0, 2.0), (30.0, 30.0), (1e9, 86_400.0)])
def test_retry_after(asked: float, granted: float) -> None:
    """It is asked when it wishes, within a second and a day."""
    delivery = after(NEW, Attempt(503, "it answers 503", asked), [0, 5], 200.0, 0.0)
    assert delivery.due == 200.0 + granted


@given(SCHEDULES, st.lists(st.floats(-10, 1e6), min_size=1, max_size=5), st.floats(-1, 1))
def test_a_receiver_in_a_hurry(schedule_s: list[float], wishes: list[float], jitter: float) -> None:
    """Whatever it says while it is down, every attempt of the schedule is made, in no less than half of the time.

    In addition it is asked once between two of them at most.
    """
    delivery = replace(NEW, due=100.0)
    for wish in cycle(wishes):
        delivery = after(delivery, Attempt(503, "it answers 503", wish), schedule_s, delivery.due, jitter)
        if delivery.status is DeliveryStatus.DEAD:
            break
    assert delivery.ended_at is not None
    assert delivery.ended_at - 100.0 >= sum(schedule_s[1:]) / 2 - 1e-6
    assert len(schedule_s) == delivery.step <= delivery.attempts <= 2 * len(schedule_s)


def test_reading_retry_after() -> None:
    """It is a number of seconds or a date."""
    assert retry_after_s("120") == 120.0
    assert retry_after_s(None) is None
    for none in ("", "soon", "-1", "1.5", "\u0663", "Mon, 99 Foo 2026"):
        assert retry_after_s(none) is None
    at = retry_after_s(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True))
    assert at is not None
    assert 57 < at < 61
