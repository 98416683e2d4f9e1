"""Bodies as they come: in pieces, which are put together once."""

from __future__ import annotations

from collections.abc import Callable

_LARGE_BYTES = 16_384  # a piece of this size is kept as it is; of smaller ones, many would cost more than their bytes


class Pieces:
    """Bytes in the order in which they came."""

    def __init__(self) -> None:
        self.size = 0
        self._list: list[bytes | bytearray] = []
        self._small = bytearray()  # behind those of the list

    def add(self, piece: bytes | bytearray) -> None:
        """Take the next one."""
        self.size += len(piece)
        if len(piece) < _LARGE_BYTES:
            self._small += piece
            return
        if self._small:
            self._list.append(self._small)
            self._small = bytearray()
        self._list.append(piece)

    def taken(self) -> list[bytes | bytearray]:
        """Return them, and hold nothing any more."""
        pieces = [*self._list, self._small]
        self.size, self._list, self._small = 0, [], bytearray()
        return pieces

    def joined(self, head: bytes = b"") -> bytes:
        """Return them behind a head as one, and hold nothing any more."""
        return b"".join([head, *self.taken()])


class Gathered:
    """What has come of a body that is handed on whole, once it is all there."""

    def __init__(self) -> None:
        self.pieces = Pieces()
        self.on_more: Callable[[int], None] | None = None  # told of the size; raises when there is no room

    def add(self, piece: bytes) -> None:
        """Take bytes that have come.

        Raises:
            QueueFull: they have no room.
        """
        self.pieces.add(piece)
        if self.on_more is not None:
            self.on_more(self.pieces.size)
