"""The way out of a connection, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_LINGER_S = 2.0
_LINGER_BYTES = 268_435_456


class Outlet:
    """What a request has for its connection's transport.

    A client that is answered before it has sent everything would be reset if the connection were closed, and might
    lose its answer. So it is told that this was all, and what it still sends is thrown away, for a while. Source: RFC
    9112, 9.6.

    Args:
        transport: the connection's.
        part: lets the client end, if it is in the midst of a request; False if it is not.
    """

    def __init__(self, transport: asyncio.Transport, part: Callable[[], bool]) -> None:
        self.write = transport.write
        self.parted_at: float | None = None  # seconds of the loop's clock
        self._left = _LINGER_BYTES
        self._transport = transport
        self._part: Callable[[], bool] | None = part

    def is_closing(self) -> bool:
        """Whether nothing may be written any more."""
        return self.parted_at is not None or self._transport.is_closing()

    def close(self) -> None:
        """End the connection behind an answer."""
        if self._part is None or not self._part():
            self._transport.close()

    def part(self, now: float) -> None:
        """Say that this was all."""
        self.parted_at = now
        self._transport.write_eof()

    def linger(self, size: int) -> None:
        """Throw so many bytes away."""
        self._left -= size
        if self._left < 0:
            self._transport.close()

    def sweep(self, now: float) -> None:
        """Wait no longer for a client that goes on and on."""
        if self.parted_at is not None and now - self.parted_at >= _LINGER_S:
            self._transport.close()

    def forget(self) -> None:
        """Let go of a connection that is lost: it would hold itself until Python's next full collection."""
        self._part = None
