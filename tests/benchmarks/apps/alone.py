"""A model in a loop: what a server in front of it can reach at best."""

import json
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

_WARM_UP_S = 1.0


def loop(run: Callable[[Sequence[Any]], Any], item: Any, size: int, seconds: float) -> None:
    """Run a model over and over and print what came of it, in the words of ``post.lua``.

    Args:
        run: the model; takes a batch.
        item: the input, the same every time.
        size: how many of it make a batch.
        seconds: how long it runs, after a second that does not count.
    """
    batch = [item] * size
    warm = time.perf_counter() + _WARM_UP_S
    while time.perf_counter() < warm:
        run(batch)
    steps = []
    began = last = time.perf_counter()
    while last < began + seconds:
        run(batch)
        now = time.perf_counter()
        steps.append(now - last)
        last = now
    told = {
        "requests": size * len(steps),
        "duration_us": int((last - began) * 1e6),
        "p50_us": int(median(steps) * 1e6),
        "p99_us": int(sorted(steps)[int(len(steps) * 0.99)] * 1e6),
        "failed": 0,
    }
    print(f"RESULT {json.dumps(told)}")  # noqa: T201 - its output is what it is for
