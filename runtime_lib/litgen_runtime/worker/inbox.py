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
    """A batcher that a thread can wait on, without polling.

    Args:
        batcher: which items go together, and when.
    """

    def __init__(self, batcher: Batcher[int, Any]) -> None:
        self._batcher = batcher
        self._changed = threading.Condition()
        self._closed = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._batcher

    def add(self, arrivals: Sequence[Arrival]) -> None:
        """Take decoded requests."""
        now = time.monotonic()
        with self._changed:
            for key, request, deadline, weight in arrivals:
                self._batcher.add(key, request, now, deadline, weight)
            self._changed.notify()

    def cancel(self, keys: Sequence[int]) -> None:
        """Take out requests that nobody waits for."""
        with self._changed:
            for key in keys:
                self._batcher.cancel(key)
            self._changed.notify()

    def close(self) -> None:
        """Let ``take`` return None from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take(self) -> Poll[int, Any] | None:
        """Wait for a batch, or for something to drop; None once closed."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                poll = self._batcher.poll(now)
                if poll.batch or poll.dropped:
                    return poll
                self._changed.wait(None if poll.wake_at is None else poll.wake_at - now)
        return None
