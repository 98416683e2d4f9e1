"""What waits for the device of this worker: the batcher, shared between the reading and the running thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from litgen_runtime.batching import Batcher, Poll


class Inbox:
    """A batcher that a thread can wait on, without polling.

    Args:
        max_size: the most items in a batch.
        max_wait_s: how long an item may wait for company, in seconds.
    """

    def __init__(self, max_size: int, max_wait_s: float) -> None:
        self._batcher: Batcher[int, Any] = Batcher(max_size, max_wait_s)
        self._changed = threading.Condition()
        self._closed = False

    def add(self, items: Sequence[tuple[int, Any, float]]) -> None:
        """Take decoded requests: (id, request, deadline)."""
        now = time.monotonic()
        with self._changed:
            for key, item, deadline in items:
                self._batcher.add(key, item, now, deadline)
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
