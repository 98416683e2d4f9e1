"""Finding the bad items of a batch that raised: a pure core.

A batch that failed is run again in halves, and so is each half that failed. A model that is broken, rather than an
item, shows itself by both halves of something failing: then it is left at that. An ``HTTPError`` is said of an item, so
the halves run in any case; so do those of a batch for which the device has too little memory. With a broken CUDA
context nothing would run, so nothing is tried.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from litgen_runtime.errors import HTTPError
from litgen_runtime.worker.cuda import free_memory, is_broken, is_out_of_memory


def predict_split(
    predict: Callable[[list[Any]], list[Any]],
    items: list[Any],
    go_on: Callable[[], bool],
    part: Callable[[int, int], None] = lambda first, last: None,
) -> list[Any]:
    """Return an outcome for each item: a result, or the exception that it failed with.

    Args:
        predict: runs a list of items; returns one outcome for each, or raises for all.
        items: the batch.
        go_on: whether what failed may be run again in parts.
        part: told which places of the batch run next, where that is not all of them.
    """
    outcomes, error = _run(predict, items[:])
    if error is None or len(items) == 1:
        return outcomes
    failed: deque[tuple[int, int, BaseException | None]] = deque([(0, len(items), error)])
    while failed and go_on():
        start, end, error = failed.popleft()
        middle = (start + end) // 2
        errors = []
        for first, last in ((start, middle), (middle, end)):
            if error is not None and is_broken(error):
                return outcomes
            part(first, last)
            outcomes[first:last], error = _run(predict, items[first:last])
            if error is not None:
                errors.append((first, last, error))
        if len(errors) < 2 or any(map(_says_nothing_of_the_model, errors)):
            failed += [each for each in errors if each[1] - each[0] > 1]
    return outcomes


def _says_nothing_of_the_model(failure: tuple[int, int, BaseException]) -> bool:
    return isinstance(failure[2], HTTPError) or is_out_of_memory(failure[2])


def _run(predict: Callable[[list[Any]], list[Any]], items: list[Any]) -> tuple[list[Any], BaseException | None]:
    size = len(items)  # now: the list is the owner's to empty
    try:
        return predict(items), None
    except BaseException as error:  # noqa: BLE001 - SystemExit in predict must not end the worker either
        if is_out_of_memory(error):
            free_memory(error)
        return [error] * size, error
