"""The items of one stream, between the dispatcher and whoever sends them to the client."""

from __future__ import annotations

import asyncio


class Feed:
    """A buffer that one task waits on.

    How much it holds is bounded by what the worker was allowed to send.
    """

    def __init__(self) -> None:
        self.began = False
        self._items: list[bytes] = []
        self._reader: asyncio.Future[None] | None = None

    def push(self, item: bytes) -> None:
        """Take an item."""
        self.began = True
        self._items.append(item)
        self.wake()

    def take(self) -> list[bytes]:
        """Return what has arrived since the last time."""
        items, self._items = self._items, []
        return items

    def wake(self) -> None:
        """Let the reader look: at items, or at the end."""
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    @property
    def has_items(self) -> bool:
        """Whether there is something to take."""
        return bool(self._items)

    async def wait(self, at_most_s: float | None = None) -> None:
        """Wait to be woken, at most so many seconds."""
        loop = asyncio.get_running_loop()
        self._reader = loop.create_future()
        timer = None if at_most_s is None else loop.call_later(at_most_s, self.wake)
        try:
            await self._reader
        finally:
            self._reader = None
            if timer is not None:
                timer.cancel()
