"""Signals and timers, as events of one loop that otherwise sleeps."""

from __future__ import annotations

import heapq
import itertools
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator

_WATCHED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class Events:
    """Waits for signals, descriptors and times, in the main thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self._writing, False)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in _WATCHED:
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
                signal.signal(number, lambda *_: None)
        self._selector.register(self._reading, selectors.EVENT_READ)

    def watch(self, descriptor: int, act: Callable[[], None]) -> None:
        """Call ``act`` whenever the descriptor can be read."""
        self._selector.register(descriptor, selectors.EVENT_READ, act)

    def forget(self, descriptor: int) -> None:
        """Stop watching a descriptor; one that is not watched is fine."""
        if descriptor in self._selector.get_map():
            self._selector.unregister(descriptor)

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Call ``act`` once, after so many seconds."""
        heapq.heappush(self._timers, (time.monotonic() + delay_s, next(self._order), act))

    def wait(self) -> Iterator[signal.Signals]:
        """Sleep until something happens, act on it, and yield the signals that came."""
        timeout = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
        numbers = b""
        for key, _ in self._selector.select(timeout):
            if key.data is None:
                numbers = os.read(self._reading, 4096)
            else:
                key.data()
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()
        yield from map(signal.Signals, numbers)
