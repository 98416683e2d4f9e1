"""Running the owner's ``predict``: one batch in, one outcome for each item out."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from types import GeneratorType
from typing import Any

from pydantic import BaseModel

from litgen_runtime.endpoint import BatchEndpoint
from litgen_runtime.errors import HTTPError, InvalidResult, OutOfMemory, PredictFailed
from litgen_runtime.tracebacks import words_of
from litgen_runtime.worker.cuda import is_broken, is_out_of_memory
from litgen_runtime.worker.forks import OwnProcess
from litgen_runtime.worker.reports import Reports
from litgen_runtime.worker.running import Running, Stopped
from litgen_runtime.worker.split import predict_split

_OWN_PROCESS = OwnProcess()
_NOT_A_LIST = (str, bytes, dict, set, frozenset, BaseModel)  # iterable, but not one result for each request in order


class Runner:
    """One instance of the owner's class, in the main thread of its worker.

    Args:
        handler: the owner's class.
        repeatable: whether what failed may run again, in parts.
    """

    def __init__(self, handler: type[Any], *, repeatable: bool = True) -> None:
        self.running = Running()
        self._part: Callable[[int, int], None] = lambda first, last: None
        self._plain_types: set[type[Any]] = set()  # of results, that are known to be no awaitables
        self.broken = False  # nothing can run in this process any more
        self._loop = asyncio.Runner()
        self._repeatable = repeatable
        self._model: Any = handler()
        self._model._is_stopped = self.running.is_stopped  # noqa: SLF001 - the two are one library
        self._batched = isinstance(self._model, BatchEndpoint)

    def setup(self, device: str) -> None:
        """Load the model; whatever ``setup`` raises passes through."""
        with _OWN_PROCESS:
            self._awaited(self._model.setup(device))

    def report_to(self, reports: Reports) -> None:
        """Let the owner's code say how far it is."""
        self._model._report = reports.progress  # noqa: SLF001 - the two are one library
        self._part = reports.part

    def weigh(self, request: Any) -> float:
        """Return the weight of a request, in the owner's unit.

        Raises:
            ValueError: it is no number of 0 or more.
        """
        weight = float(self._model.weight(request)) if isinstance(self._model, BatchEndpoint) else 0.0
        if not weight >= 0.0:
            raise ValueError(f"weight() returned {weight}; expected a number of 0 or more")
        return weight

    def predict(self, requests: list[Any]) -> list[Any]:
        """Return one outcome for each request: a result, or the exception that it failed with."""
        outcomes = predict_split(self._predict, requests, self._may_split, self._part)
        size = 1 if self._repeatable else len(requests)
        return [self.judged(o, size) if isinstance(o, BaseException) else o for o in outcomes]

    def _may_split(self) -> bool:
        return self._repeatable and not self.running.is_stopped()

    def judged(self, error: BaseException, size: int = 1) -> BaseException:
        """Return what to answer for an error of the owner's, and note whether it has broken this process.

        Args:
            error: what ``predict`` raised.
            size: of the batch that it was raised for, if that must not run in parts.
        """
        if isinstance(error, asyncio.CancelledError) and self.running.is_stopped():
            return Stopped()
        self.broken = self.broken or is_broken(error)
        if size > 1 and isinstance(error, HTTPError):  # which of them it is meant for, nobody knows
            return PredictFailed("predict refused a batch that must not run twice.", log=words_of(error))
        return _out_of_memory(error, size) if is_out_of_memory(error) else error

    def _predict(self, requests: list[Any]) -> list[Any]:
        size = len(requests)  # now: the list is the owner's to empty
        with _OWN_PROCESS:
            if not self._batched:
                return [self._awaited(self._model.predict(requests[0]))]
            results = self._awaited(self._model.predict(requests))
            results = list(results) if type(results) is list else _listed(results)
        return results if len(results) == size else [_wrong_length(len(results), size)] * size

    def generator(self, is_stopped: Callable[[], bool]) -> Callable[[Any], Any]:
        """Return the ``predict`` of a ``StreamEndpoint``.

        Args:
            is_stopped: whether nobody listens any more to the stream that is advanced at the moment.
        """
        self._model._is_stopped = is_stopped  # noqa: SLF001 - the two are one library
        predict: Callable[[Any], Any] = self._model.predict
        return predict

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that everything asynchronous of the owner's runs in."""
        return self._loop.get_loop()

    def close(self) -> None:
        """Close the event loop that an async ``predict`` ran in."""
        self._loop.close()

    def _awaited(self, value: Any) -> Any:
        kind = type(value)
        if kind in self._plain_types:
            return value
        if inspect.isawaitable(value):
            return self._loop.run(self._stoppable(value))
        if kind is not GeneratorType:  # of these, some can be awaited and some cannot
            self._plain_types.add(kind)
        return value

    async def _stoppable(self, value: Awaitable[Any]) -> Any:
        """Await what is cancelled when nobody waits for it any more."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        self.running.on_stop(lambda: _cancel(loop, task))
        try:
            with _OWN_PROCESS:
                return await value
        finally:
            self.running.on_stop(None)


def _out_of_memory(error: BaseException, size: int) -> OutOfMemory:
    if size > 1:
        what = f"{size} requests together do not fit into the device's memory, and repeatable is false"
        fix = "lower batching.max_size or batching.max_weight"
    else:
        what = "This request does not fit into the device's memory, even alone"
        fix = "bound what a request may ask for"
    return OutOfMemory(
        f"{what}. The service's owner can {fix}, raise workers.gpu_memory_fraction or lower workers.per_device.",
        log=words_of(error),
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
