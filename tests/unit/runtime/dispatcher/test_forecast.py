from __future__ import annotations

from typing import Any

import pytest

from litgen_runtime.dispatcher.forecast import Forecast


def noted(*runs: float, lag_s: float = 0.01) -> Forecast:
    """Return a forecast that has seen these runs, the last of them at 0."""
    forecast = Forecast()
    for run_s in runs:
        forecast.note(run_s, lag_s, 0.0)
    return forecast


def late(run_s: float, needed_s: float) -> tuple[float, Any]:
    """Return what is said then, but for rounding."""
    return run_s, pytest.approx(needed_s)


def fresh(_: float) -> float:
    """The present run has just begun."""
    return 0.0


def test_little_is_known_at_first() -> None:
    """Seven answers say nothing yet, eight do."""
    assert noted(*[1.0] * 7).late(0.1, 0, fresh, 0.0) is None
    assert noted(*[1.0] * 8).late(0.1, 0, fresh, 0.0) == late(1.0, 1.01)


def test_what_is_ahead_counts_and_how_far_it_is() -> None:
    """Each run ahead takes its time, the first of them what is left of it."""
    forecast = noted(*[1.0] * 8)
    assert forecast.late(2.5, 1, fresh, 0.0) is None
    assert forecast.late(2.5, 2, fresh, 0.0) == late(1.0, 3.01)
    assert forecast.late(2.5, 2, lambda now: 0.8 + now, 0.0) is None


def test_after_a_second_without_answers_one_runs_all_the_same() -> None:
    """Runs may have become faster."""
    forecast = noted(*[1.0] * 8)
    assert forecast.late(0.1, 0, fresh, 1.0) is not None
    assert forecast.late(0.1, 0, fresh, 1.01) is None


def test_the_usual_run_decides() -> None:
    """One long run among short ones makes nobody late."""
    forecast = noted(*[0.01] * 20, 5.0)
    assert forecast.late(0.1, 1, fresh, 0.0) is None


def test_who_may_wait_long_costs_nothing() -> None:
    """Where there is time enough even for the longest of the latest runs, nobody asks how long the present one runs."""

    def asked(_: float) -> float:
        raise AssertionError

    assert noted(*[0.01] * 20).late(30.0, 3, asked, 0.0) is None
