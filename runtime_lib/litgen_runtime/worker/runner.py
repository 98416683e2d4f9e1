"""Running the owner's ``predict``: one batch in, one outcome for each item out."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Iterable
from typing import Any

from pydantic import BaseModel

from litgen_runtime.endpoint import BatchEndpoint, Endpoint
from litgen_runtime.errors import InvalidResult, OutOfMemory
from litgen_runtime.tracebacks import words_of
from litgen_runtime.worker.cuda import is_broken, is_out_of_memory
from litgen_runtime.worker.running import Running
from litgen_runtime.worker.split import predict_split

_NOT_A_LIST = (str, bytes, dict, set, frozenset, BaseModel)  # iterable, but not one result for each request in order


class Runner:
    """One instance of the owner's class, in the main thread of its worker.

    Args:
        handler: the owner's class.
        repeatable: whether what failed may run again, in parts.
    """

    def __init__(self, handler: type[Endpoint[Any, Any] | BatchEndpoint[Any, Any]], *, repeatable: bool = True) -> None:
        self.running = Running()
        self.broken = False  # nothing can run in this process any more
        self._loop = asyncio.Runner()
        self._repeatable = repeatable
        self._model = handler()
        self._model._is_stopped = self.running.is_stopped  # noqa: SLF001 - the two are one library
        self._batched = isinstance(self._model, BatchEndpoint)

    def setup(self, device: str) -> None:
        """Load the model; whatever ``setup`` raises passes through."""
        self._awaited(self._model.setup(device))

    def predict(self, requests: list[Any]) -> list[Any]:
        """Return one outcome for each request: a result, or the exception that it failed with."""
        outcomes = predict_split(self._predict, requests, lambda: self._repeatable and not self.running.is_stopped())
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        self.broken = self.broken or any(map(is_broken, failures))
        if any(map(is_out_of_memory, failures)):
            size = len(requests) if not self._repeatable else 1
            outcomes = [_out_of_memory(outcome, size) for outcome in outcomes]
        return outcomes

    def _predict(self, requests: list[Any]) -> list[Any]:
        if not self._batched:
            return [self._awaited(self._model.predict(requests[0]))]
        size = len(requests)  # now: the list is the owner's to empty
        results = _listed(self._awaited(self._model.predict(requests)))
        return results if len(results) == size else [_wrong_length(len(results), size)] * size

    def close(self) -> None:
        """Close the event loop that an async ``predict`` ran in."""
        self._loop.close()

    def _awaited(self, value: Any) -> Any:
        return self._loop.run(self._stoppable(value)) if inspect.isawaitable(value) else value

    async def _stoppable(self, value: Awaitable[Any]) -> Any:
        """Await what is cancelled when nobody waits for it any more."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        self.running.on_stop(lambda: _cancel(loop, task))
        try:
            return await value
        finally:
            self.running.on_stop(None)


def _out_of_memory(outcome: Any, size: int) -> Any:
    if not isinstance(outcome, BaseException) or not is_out_of_memory(outcome):
        return outcome
    if size > 1:
        what = f"{size} requests together do not fit into the device's memory, and repeatable is false"
        fix = "lower batching.max_size or batching.max_weight"
    else:
        what = "This request does not fit into the device's memory, even alone"
        fix = "bound what a request may ask for"
    return OutOfMemory(
        f"{what}. The service's owner can {fix}, raise workers.gpu_memory_fraction or lower workers.per_device.",
        log=words_of(outcome),
    )


def _cancel(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any] | None) -> None:
    if task is not None:
        loop.call_soon_threadsafe(task.cancel)


def _listed(results: Any) -> list[Any]:
    if isinstance(results, Iterable) and not isinstance(results, _NOT_A_LIST):
        return list(results)
    raise InvalidResult(
        "The model's result is not a valid response.",
        log=f"predict of a BatchEndpoint returned {type(results).__name__}; expected a list of results",
    )


def _wrong_length(got: int, expected: int) -> InvalidResult:
    return InvalidResult(
        "The model's result is not a valid response.",
        log=f"predict returned {got} results for a batch of {expected}; expected one for each request, in order",
    )
