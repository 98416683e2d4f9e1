"""What waits for the device of this worker: the batcher, shared between the reading and the running thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from litgen_runtime.batching import Batcher, Poll


class Arrival(NamedTuple):
    """One decoded request. ``deadline`` is CLOCK_MONOTONIC seconds, ``inf`` for none; see ``Run`` for ``patient``."""

    id: int
    request: Any
    deadline: float
    weight: float
    patient: bool = False


class Inbox:
    """A batcher that another thread may fill while the running one is busy.

    Args:
        batcher: which items go together, and when.
        begin: told of each batch before anything else can happen to it: what is not here any more runs.
    """

    def __init__(self, batcher: Batcher[int, Any], begin: Callable[[Sequence[int]], None]) -> None:
        self._batcher = batcher
        self._begin = begin
        self._lock = threading.Lock()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._batcher

    def rest(self) -> bool:
        """Note that the device is free; return whether there is nothing for it."""
        return self._batcher.rest()

    def add(self, arrivals: Sequence[Arrival]) -> None:
        """Take decoded requests."""
        now = time.monotonic()
        with self._lock:
            for key, request, deadline, weight, patient in arrivals:
                self._batcher.add(key, request, now, deadline, weight, patient=patient)

    def cancel(self, keys: Sequence[int]) -> None:
        """Take out requests that nobody waits for."""
        with self._lock:
            for key in keys:
                self._batcher.cancel(key)

    def take_back(self, keys: Sequence[int]) -> list[int]:
        """Take out what has not begun; return which of them that was."""
        with self._lock:
            return [key for key in keys if self._batcher.take_back(key)]

    def poll(self, now: float) -> Poll[int, Any]:
        """Say what a device that is free ``now`` should do."""
        with self._lock:
            poll = self._batcher.poll(now)
            if poll.batch:
                self._begin(poll.batch.keys)
            return poll
