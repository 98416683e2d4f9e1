from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from litgen_runtime import BatchEndpoint, Endpoint
from litgen_runtime.errors import InvalidResult
from litgen_runtime.worker.runner import Runner
from litgen_runtime.worker.running import Stopped


class One(BaseModel):
    x: int


def single(predict: Callable[[Any], Any]) -> Runner:
    """Return a runner of an ``Endpoint``."""

    class Model(Endpoint[Any, Any]):
        def predict(self, request: Any) -> Any:
            return predict(request)

    return Runner(Model)


def batched(predict: Callable[[list[Any]], Any]) -> Runner:
    """Return a runner of a ``BatchEndpoint``."""

    class Model(BatchEndpoint[Any, Any]):
        def predict(self, batch: list[Any]) -> Any:
            return predict(batch)

    return Runner(Model)


def raising(error: BaseException) -> Callable[[Any], Any]:
    """Return a ``predict`` that raises."""

    def predict(_: Any) -> Any:
        raise error

    return predict


def test_single() -> None:
    """An ``Endpoint`` gets the request itself and gives one result."""
    assert single(lambda x: x * 2).predict([21]) == [42]


def test_batch() -> None:
    """A ``BatchEndpoint`` gets a list and gives one result for each."""
    assert batched(lambda batch: [x * 2 for x in batch]).predict([1, 2, 3]) == [2, 4, 6]


def test_batch_of_one() -> None:
    """A ``BatchEndpoint`` gets a list of one too."""
    assert batched(lambda batch: [len(batch)]).predict(["x"]) == [1]


def test_async() -> None:
    """``predict`` may be async, single or batched, again and again in one loop."""
    loops = []

    async def double(x: Any) -> Any:
        await asyncio.sleep(0)
        loops.append(asyncio.get_running_loop())
        return x * 2

    runner = single(double)
    assert [runner.predict([1]), runner.predict([2])] == [[2], [4]]
    assert loops[0] is loops[1]
    runner.close()


def test_async_batch() -> None:
    """An async ``predict`` of a batch is awaited."""

    async def double(batch: list[int]) -> list[int]:
        return [x * 2 for x in batch]

    runner = batched(double)
    assert runner.predict([1, 2]) == [2, 4]
    runner.close()


def test_awaitable_that_is_no_coroutine() -> None:
    """Anything that can be awaited is."""

    class Later:
        def __await__(self) -> Generator[Any, None, int]:
            yield
            return 7

    runner = single(lambda _: Later())
    assert runner.predict([0]) == [7]
    runner.close()


@pytest.mark.parametrize("is_async", [False, True])
def test_setup(is_async: bool) -> None:
    """``setup`` runs with the device, and may be async."""
    seen = []

    class Model(Endpoint[Any, Any]):
        def setup(self, device: str) -> Any:
            async def load() -> None:
                seen.append(device)

            if is_async:
                return load()
            seen.append(device)
            return None

        def predict(self, request: Any) -> Any:
            return request

    runner = Runner(Model)
    runner.setup("cuda:1")
    runner.close()
    assert seen == ["cuda:1"]


def test_setup_raises() -> None:
    """What ``setup`` raises passes through, for the log of the start."""

    class Model(Endpoint[Any, Any]):
        def setup(self, device: str) -> None:
            raise FileNotFoundError("weights")

        def predict(self, request: Any) -> Any:
            return request

    with pytest.raises(FileNotFoundError, match="weights"):
        Runner(Model).setup("cpu")


@pytest.mark.parametrize(
    "error", [ValueError("x"), SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError(), StopIteration()]
)
def test_exception_fails_the_batch(error: BaseException) -> None:
    """Whatever ``predict`` raises, even SystemExit, is the outcome of each item and ends nothing."""
    assert batched(raising(error)).predict([1, 2]) == [error, error]
    assert single(raising(error)).predict([1]) == [error]


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError()])
def test_exception_in_async(error: BaseException) -> None:
    """An async ``predict`` that raises is the same, and the next one runs."""
    errors = [error]

    async def predict(x: Any) -> Any:
        if errors:
            raise errors.pop()
        return x

    runner = single(predict)
    assert [type(outcome) for outcome in runner.predict([1])] == [type(error)]
    assert runner.predict([2]) == [2]
    runner.close()


@pytest.mark.parametrize("then", [asyncio.CancelledError, ValueError])
def test_stopped_async(then: type[BaseException]) -> None:
    """A cancellation that it was told of is no failure of the owner's; what else it raises then is."""

    async def predict(_: Any) -> Any:
        runner.running.cancel([1])
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise then from None

    runner = single(predict)
    runner.running.begin([1])
    assert [type(outcome) for outcome in runner.predict([0])] == [Stopped if then is not ValueError else ValueError]
    runner.close()


def test_stopped() -> None:
    """A ``predict`` that has looked and stops says so with the same error, which is no failure of the owner's."""

    def predict(_: Any) -> Any:
        runner.running.cancel([1])
        raise asyncio.CancelledError

    runner = single(predict)
    runner.running.begin([1])
    assert [type(outcome) for outcome in runner.predict([0])] == [Stopped]
    runner.close()


def test_exception_in_an_items_place() -> None:
    """An exception instance in a result's place is that item's outcome alone."""
    bad = ValueError("this one")
    assert batched(lambda batch: [1, bad, 3]).predict([0, 0, 0]) == [1, bad, 3]


@pytest.mark.parametrize("length", [0, 1, 3])
def test_wrong_length(length: int) -> None:
    """A list of another length fails every item, and the log says both lengths."""
    outcomes = batched(lambda batch: [0] * length).predict([1, 2])
    assert len(outcomes) == 2
    for outcome in outcomes:
        assert isinstance(outcome, InvalidResult)
        assert (
            outcome.log
            == f"predict returned {length} results for a batch of 2; expected one for each request, in order"
        )


@pytest.mark.parametrize(
    "results",
    [None, 3, "ab", b"ab", {1: 2, 3: 4}, {1, 2}, frozenset({1, 2}), One(x=1), object()],
    ids=lambda results: type(results).__name__,
)
def test_not_a_list(results: Any) -> None:
    """What is not one result for each request in order is refused, even where its length would fit."""
    for batch in ([1], [1, 2]):
        outcomes = batched(lambda _: results).predict(batch)
        assert len(outcomes) == len(batch)
        for outcome in outcomes:
            assert isinstance(outcome, InvalidResult)
            assert outcome.log == (
                f"predict of a BatchEndpoint returned {type(results).__name__}; expected a list of results"
            )


@pytest.mark.parametrize("kind", [list, tuple, iter, np.array])
def test_sequences(kind: Callable[[list[int]], Any]) -> None:
    """Tuples, arrays and generators are lists of results too."""
    assert batched(lambda batch: kind([5, 6])).predict([1, 2]) == [5, 6]


def test_generator_that_raises() -> None:
    """A generator that fails half-way fails the batch."""

    def predict(batch: list[int]) -> Iterator[int]:
        yield 1
        raise ValueError("half-way")

    assert [type(outcome) for outcome in batched(predict).predict([1, 2])] == [ValueError, ValueError]


@pytest.mark.parametrize("then", ["return", "raise"])
def test_owner_empties_the_batch(then: str) -> None:
    """The list is the owner's: there is one outcome for each request even if ``predict`` empties it."""

    def predict(batch: list[int]) -> list[int]:
        taken = [batch.pop() for _ in range(len(batch))]
        if then == "raise":
            raise ValueError
        return taken

    outcomes = batched(predict).predict([1, 2])
    assert len(outcomes) == 2
    assert outcomes == [2, 1] or [type(outcome) for outcome in outcomes] == [ValueError, ValueError]


def test_context_is_each_calls_own() -> None:
    """One instance serves all calls, so that what ``setup`` loaded is there."""
    seen = contextvars.ContextVar("seen", default=0)

    class Model(Endpoint[Any, Any]):
        def setup(self, device: str) -> None:
            self.calls = 0

        def predict(self, request: Any) -> Any:
            self.calls += 1
            return self.calls + seen.get()

    runner = Runner(Model)
    runner.setup("cpu")
    assert [runner.predict([0]), runner.predict([0])] == [[1], [2]]
