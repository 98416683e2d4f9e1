from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime.bench.latencies import Latencies


def of(values: list[float]) -> Latencies:
    """Return durations, counted."""
    latencies = Latencies()
    for value in values:
        latencies.record(value)
    return latencies


@given(st.lists(st.floats(1e-6, 3600), min_size=1, max_size=200), st.floats(0, 100))
def test_percentile_is_that_of_the_sorted_values(values: list[float], percent: float) -> None:
    """A percentile is off by at most half a bucket from the nearest rank of all the values."""
    exact = sorted(values)[max(ceil(len(values) * percent / 100), 1) - 1]
    assert of(values).percentile_s(percent) == pytest.approx(exact, rel=0.0051)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_percentiles_stay_within_what_was_recorded(values: list[float]) -> None:
    """No percentile is below the least or above the most, and they ascend."""
    latencies = of(values)
    percentiles = [latencies.percentile_s(percent) for percent in (0, 50, 99, 100)]
    assert percentiles == sorted(percentiles)
    assert min(values) <= percentiles[0] <= percentiles[-1] <= max(values)


def test_count_mean_and_maximum_are_exact() -> None:
    """What needs no buckets is not rounded."""
    latencies = of([0.1, 0.2, 0.6])
    assert (latencies.count, latencies.max_s) == (3, 0.6)
    assert latencies.mean_s == pytest.approx(0.3)


def test_of_none() -> None:
    """Nothing recorded is 0 everywhere."""
    assert (of([]).count, of([]).mean_s, of([]).percentile_s(99), of([]).max_s) == (0, 0, 0, 0)
