from __future__ import annotations

import pytest

from litgen_runtime import BatchEndpoint
from litgen_runtime.errors import OutOfMemory
from litgen_runtime.worker.runner import Runner

FULL = "CUDA out of memory. Tried to allocate 20.00 GiB."
ASSERT = "CUDA error: device-side assert triggered"


def accelerated(room: int, *, repeatable: bool = True, calls: list[int] | None = None) -> Runner:
    """Return a runner of a model that can take so many items at once, none of 99, and breaks at 13."""

    class Model(BatchEndpoint[int, int]):
        def predict(self, batch: list[int]) -> list[int]:
            if calls is not None:
                calls.append(len(batch))
            if len(batch) > room or 99 in batch:
                raise RuntimeError(FULL)
            if 13 in batch:
                raise RuntimeError(ASSERT)
            return batch

    return Runner(Model, repeatable=repeatable)


@pytest.mark.parametrize("room", [1, 3, 16, 32])
def test_a_batch_that_does_not_fit(room: int) -> None:
    """It runs in halves of halves until they fit, however many of them fail in a row."""
    items = list(range(100, 132))
    assert accelerated(room).predict(items) == items


def test_an_item_that_does_not_fit() -> None:
    """It fails alone, with an error that says so."""
    outcomes = accelerated(4).predict([1, 2, 99, 4, 5, 6, 7, 8])
    assert [x for x in outcomes if isinstance(x, int)] == [1, 2, 4, 5, 6, 7, 8]
    assert isinstance(outcomes[2], OutOfMemory)
    assert outcomes[2].log == f"RuntimeError: {FULL}"
    assert "does not fit" in outcomes[2].detail
    assert "even alone" in outcomes[2].detail


def test_a_batch_that_may_not_run_twice() -> None:
    """With repeatable = false the batch fails at once, and the error says what to change."""
    calls: list[int] = []
    outcomes = accelerated(1, repeatable=False, calls=calls).predict([1, 2, 3])
    assert calls == [3]
    assert [type(outcome) for outcome in outcomes] == [OutOfMemory] * 3
    assert "3 requests together" in outcomes[0].detail
    assert "batching.max_size" in outcomes[0].detail


def test_a_broken_context() -> None:
    """Nothing runs after it, and the runner says so."""
    calls: list[int] = []
    runner = accelerated(8, calls=calls)
    outcomes = runner.predict([1, 2, 13, 4])
    assert calls == [4]
    assert [str(outcome) for outcome in outcomes] == [ASSERT] * 4
    assert runner.broken


def test_a_context_that_breaks_in_a_part() -> None:
    """What has not run by then has the error of the batch that it was in."""
    runner = accelerated(2)
    outcomes = runner.predict([1, 2, 13, 4])
    assert outcomes[:2] == [1, 2]
    assert all(isinstance(outcome, RuntimeError) for outcome in outcomes[2:])
    assert runner.broken


def test_other_errors_break_nothing() -> None:
    """A model that raises goes on."""
    runner = accelerated(8)
    runner.predict([99])
    assert not runner.broken
