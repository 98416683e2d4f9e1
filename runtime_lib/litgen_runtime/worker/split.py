"""Finding the bad item of a batch that raised: a pure core.

The halves of what failed are run again, level by level. A model that is broken, rather than an item, shows itself by
two halves in a row that fail: then it is left at that. A batch for which the device has too little memory says nothing
of its items: its halves run in any case. With a broken CUDA context nothing would run, so nothing is tried.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from litgen_runtime.worker.cuda import free_memory, is_broken, is_out_of_memory

_HOPELESS = 2


def predict_split(predict: Callable[[list[Any]], list[Any]], items: list[Any], go_on: Callable[[], bool]) -> list[Any]:
    """Return an outcome for each item: a result, or the exception that it failed with.

    Args:
        predict: runs a list of items; returns one outcome for each, or raises for all.
        items: the batch.
        go_on: whether what failed may be run again in parts.
    """
    if len(items) == 1:
        return [_alone(predict, items)]
    outcomes: list[Any] = [None] * len(items)
    parts = deque([(0, len(items))])
    failed_halves = 0
    while parts and failed_halves < _HOPELESS:
        start, end = parts.popleft()
        try:
            outcomes[start:end] = predict(items[start:end])
            failed_halves = 0
        except BaseException as error:  # noqa: BLE001 - SystemExit in predict must not end the worker either
            outcomes[start:end] = [error] * (end - start)
            if is_broken(error):
                break
            if is_out_of_memory(error):
                free_memory(error)
            else:
                failed_halves += end - start < len(items)
            if end - start > 1 and go_on():
                middle = (start + end) // 2
                parts += [(start, middle), (middle, end)]
    return outcomes


def _alone(predict: Callable[[list[Any]], list[Any]], items: list[Any]) -> Any:
    try:
        return predict(items)[0]
    except BaseException as error:  # noqa: BLE001 - as above
        if is_out_of_memory(error):
            free_memory(error)
        return error
