from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime.errors import RateLimited
from litgen_runtime.jobs.rates import Rate, Rates


@given(
    st.floats(0.1, 10_000),
    st.integers(1, 20),
    st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 200), st.booleans()), max_size=60),
)
def test_a_bucket(per_minute: float, burst: int, asked: list[tuple[str, float, bool]]) -> None:
    """It gives what a bucket of tokens gives, to each one who asks: a simple model says how much there is."""
    rate, every_s = Rate(per_minute, burst), 60.0 / per_minute
    now, tokens = 1000.0, dict.fromkeys("ab", float(burst))
    for who, pause_s, regretted in asked:
        now += pause_s * every_s / 20
        tokens = {each: min(float(burst), held + pause_s / 20) for each, held in tokens.items()}
        wait_s = rate.take(who, now)
        if tokens[who] > 1.001:
            assert wait_s == 0.0
        elif tokens[who] < 0.999:
            assert wait_s == pytest.approx((1 - tokens[who]) * every_s, rel=1e-3, abs=every_s * 1e-3)
        if wait_s == 0.0 and regretted:
            rate.give_back(who)
        elif wait_s == 0.0:
            tokens[who] -= 1


@given(st.floats(0.1, 10_000), st.integers(1, 20), st.floats(0, 2e9))
def test_who_waits_as_long_as_told_is_served(per_minute: float, burst: int, now: float) -> None:
    """A burst at once, then nothing, then one after the time that was told."""
    rate = Rate(per_minute, burst)
    assert [rate.take("a", now) for _ in range(burst)] == [0.0] * burst
    wait_s = rate.take("a", now)
    assert 0.0 < wait_s <= 60.0 / per_minute * 1.001
    assert rate.take("a", now + wait_s + 1e-5) == 0.0  # the clock's own steps are not much smaller
    assert rate.take("b", now) == 0.0


def test_a_refusal_says_when() -> None:
    """In whole seconds, at least one; an endpoint without a rate takes all."""
    rates = Rates({"embed": Rate(90.0, 1)})
    rates.take("embed", "alice", 5.0)
    with pytest.raises(RateLimited, match=r"Jobs of alice for embed .* Retry in 1 s\.") as refused:
        rates.take("embed", "alice", 5.1)
    assert refused.value.headers == {"Retry-After": "1"}
    rates.give_back("embed", "alice")
    rates.take("embed", "alice", 5.1)
    for _ in range(100):
        rates.take("other", "alice", 5.0)
    rates.give_back("other", "alice")
