"""What waits for the device of this worker: the batcher, shared between the reading and the running thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from litgen_runtime.batching import Batcher, Poll


class Arrival(NamedTuple):
    """One decoded request. ``deadline`` is CLOCK_MONOTONIC seconds, ``inf`` for none."""

    id: int
    request: Any
    deadline: float
    weight: float


class Inbox:
    """A batcher that one thread fills and another one waits on, without polling.

    Args:
        batcher: which items go together, and when.
    """

    def __init__(self, batcher: Batcher[int, Any]) -> None:
        self._batcher = batcher
        self._lock = threading.Lock()
        self._changed = threading.Lock()  # released when there is something to look at; half the price of a Condition
        self._closed = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._batcher

    def add(self, arrivals: Sequence[Arrival]) -> None:
        """Take decoded requests."""
        now = time.monotonic()
        with self._lock:
            for key, request, deadline, weight in arrivals:
                self._batcher.add(key, request, now, deadline, weight)
        self._wake()

    def cancel(self, keys: Sequence[int]) -> None:
        """Take out requests that nobody waits for."""
        with self._lock:
            for key in keys:
                self._batcher.cancel(key)
        self._wake()

    def close(self) -> None:
        """Let ``take`` return None from now on."""
        self._closed = True
        self._wake()

    def take(self) -> Poll[int, Any] | None:
        """Wait for a batch, or for something to drop; None once closed."""
        while not self._closed:
            now = time.monotonic()
            with self._lock:
                poll = self._batcher.poll(now)
            if poll.batch or poll.dropped:
                return poll
            self._changed.acquire(timeout=-1 if poll.wake_at is None else max(poll.wake_at - now, 0.0))
        return None

    def _wake(self) -> None:
        """Let ``take`` look again; only the filling thread calls this, so that nobody else can release in between."""
        if self._changed.locked():
            self._changed.release()
