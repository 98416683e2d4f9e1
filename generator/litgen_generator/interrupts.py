"""Signals that ask a process to stop, put off while it must not."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Deferral:
    """Signals that came while they were put off; what is not asked for by `paused` is dropped.

    Handlers are exchanged rather than signals masked: a mask holds for one thread only, and any other would still
    take the signal and have its handler run in the main thread.
    """

    def __init__(self) -> None:
        """Begin to put signals off."""
        self._received: list[int] = []
        self._begin()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let signals come for the time of a block, first those that were put off."""
        self.end()
        try:
            for number in self._received:
                signal.raise_signal(number)
            yield
        finally:
            self._begin()

    def end(self) -> None:
        """Let signals come again."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _begin(self) -> None:
        self._handlers: dict[int, Any] = {number: signal.signal(number, self._note) for number in STOPPING}

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._received.append(number)


@contextmanager
def deferred() -> Iterator[Deferral]:
    """Put off, in the main thread, what asks the process to stop."""
    deferral = Deferral()
    try:
        yield deferral
    finally:
        deferral.end()
