"""Running the owner's ``predict``: one batch in, one outcome for each item out."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from litgen_runtime.endpoint import BatchEndpoint, Endpoint
from litgen_runtime.errors import InvalidResult

_NOT_A_LIST = (str, bytes, dict, set, frozenset, BaseModel)  # iterable, but not one result for each request in order


class Runner:
    """One instance of the owner's class, in the main thread of its worker.

    Args:
        handler: the owner's class.
    """

    def __init__(self, handler: type[Endpoint[Any, Any]] | type[BatchEndpoint[Any, Any]]) -> None:
        self._loop = asyncio.Runner()
        self._model = handler()
        self._batched = isinstance(self._model, BatchEndpoint)

    def setup(self, device: str) -> None:
        """Load the model; whatever ``setup`` raises passes through."""
        self._awaited(self._model.setup(device))

    def predict(self, requests: list[Any]) -> list[Any]:
        """Return one outcome for each request: a result, or the exception that it failed with."""
        size = len(requests)  # now: the list is the owner's to empty
        try:
            if not self._batched:
                return [self._awaited(self._model.predict(requests[0]))]
            results = _listed(self._awaited(self._model.predict(requests)))
        except BaseException as error:  # noqa: BLE001 - SystemExit in predict must not end the worker either
            return [error] * size
        if len(results) == size:
            return results
        return [_wrong_length(len(results), size)] * size

    def close(self) -> None:
        """Close the event loop that an async ``predict`` ran in."""
        self._loop.close()

    def _awaited(self, value: Any) -> Any:
        if not inspect.isawaitable(value):
            return value
        return self._loop.run(value if inspect.iscoroutine(value) else _awaiting(value))


async def _awaiting(value: Any) -> Any:
    return await value


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
