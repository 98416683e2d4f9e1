from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime import BatchEndpoint, HTTPError
from litgen_runtime.errors import OutOfMemory, PredictFailed
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


def run(bad: dict[int, BaseException], size: int, *, repeatable: bool = True) -> list[object]:
    """Return what becomes of a batch 0, 1, 2, ... whose model raises for what is bad."""

    class Model(BatchEndpoint[int, int]):
        def predict(self, batch: list[int]) -> list[int]:
            for item in list(batch):
                if item in bad:
                    raise bad[item]
            done = list(batch)
            batch.clear()  # the list is the owner's
            return done

    return Runner(Model, repeatable=repeatable).predict(list(range(size)))


@given(data=st.data())
def test_one_bad_item_fails_alone(data: st.DataObject) -> None:
    """Wherever it stands, and whatever the size of the batch."""
    size = data.draw(st.integers(1, 40))
    bad = data.draw(st.integers(0, size - 1))
    error = ValueError("no")
    assert run({bad: error}, size) == [error if item == bad else item for item in range(size)]


@given(data=st.data())
def test_what_is_said_of_items_reaches_them_alone(data: st.DataObject) -> None:
    """However many items are refused with an HTTPError, no other one gets it."""
    size = data.draw(st.integers(1, 40))
    refused = data.draw(st.sets(st.integers(0, size - 1)))
    errors: dict[int, BaseException] = {item: HTTPError(404, f"no {item}") for item in refused}
    assert run(errors, size) == [errors.get(item, item) for item in range(size)]


def test_a_model_that_is_broken() -> None:
    """Both halves fail: it is left at that."""
    calls: list[int] = []

    class Model(BatchEndpoint[int, int]):
        def predict(self, batch: list[int]) -> list[int]:
            calls.append(len(batch))
            raise ValueError("broken")

    Runner(Model).predict(list(range(32)))
    assert calls == [32, 16, 16]


def test_an_item_refused_where_nothing_runs_twice() -> None:
    """Nobody is told what another client was refused for."""
    outcomes = run({2: HTTPError(404, "no 2")}, 4, repeatable=False)
    assert [type(outcome) for outcome in outcomes] == [PredictFailed] * 4
    assert "no 2" not in str(outcomes[0])
