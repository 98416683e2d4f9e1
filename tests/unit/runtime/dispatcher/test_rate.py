from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime.dispatcher.rate import DrainRate


def test_before_any_answer() -> None:
    """Without a measurement the wait is a guess of five seconds."""
    assert DrainRate(0.0).seconds_for(100, 1.0) == 5


@pytest.mark.parametrize("seconds", [0.5, 2.0, 10.0, 100.0])
@pytest.mark.parametrize("per_second", [10, 200])
def test_steady_rate(per_second: int, seconds: float) -> None:
    """At a steady rate the wait is what waits divided by the rate, from early on."""
    rate = DrainRate(0.0)
    count = int(per_second * seconds)
    for index in range(1, count + 1):
        rate.count(index / per_second, 1)
    assert rate.seconds_for(per_second * 20, seconds) == pytest.approx(20, abs=2)


def test_old_answers_weigh_less() -> None:
    """An endpoint that has slowed down says so."""
    rate = DrainRate(0.0)
    for index in range(1000):
        rate.count(index / 100, 1)
    assert rate.seconds_for(100, 10.0) < rate.seconds_for(100, 30.0)


@given(
    st.lists(st.tuples(st.floats(0, 1e4), st.integers(0, 10_000)), max_size=10),
    st.integers(0, 10**6),
    st.floats(0, 1e6),
)
def test_bounds(counts: list[tuple[float, int]], waiting: int, later: float) -> None:
    """The wait is a whole number of seconds from 1 to 60, whatever has been measured."""
    rate, now = DrainRate(0.0), 0.0
    for gap, answers in counts:
        now += gap
        rate.count(now, answers)
    seconds = rate.seconds_for(waiting, now + later)
    assert type(seconds) is int
    assert 1 <= seconds <= 60
