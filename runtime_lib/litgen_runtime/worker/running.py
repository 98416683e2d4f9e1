"""What runs now, and whether anybody still waits for it: shared by the reading and the running thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence


class Stopped(Exception):
    """What came of a run that was stopped."""


class Running:
    """The requests of the present batch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: set[int] = set()
        self._stop: Callable[[], None] | None = None
        self._stopped = False

    def begin(self, keys: Sequence[int]) -> None:
        """A batch of these requests begins."""
        with self._lock:
            self._wanted = set(keys)
            self._stopped = False

    def cancel(self, keys: Sequence[int]) -> None:
        """Nobody waits for these any more; when that is all of the batch, what runs is told to stop."""
        with self._lock:
            if not self._wanted:
                return
            self._wanted.difference_update(keys)
            if not self._wanted:
                self._stopped = True
                if self._stop is not None:
                    self._stop()

    def on_stop(self, stop: Callable[[], None] | None) -> None:
        """Set what stops the present run; called at once if it is to stop already."""
        with self._lock:
            self._stop = stop
            if stop is not None and self._stopped:
                stop()

    def is_stopped(self) -> bool:
        """Whether nobody waits for anything in the present batch."""
        return self._stopped
