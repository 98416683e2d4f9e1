"""The endpoints that requests reach without ASGI, and the heads that have led there.

A client that keeps its connection sends the same head again and again. It is read once, by the parser, and then known
by its bytes: all of them, so that what is known is what the parser has said of them. One with a key or a
cookie is not kept, nor one that says itself that it will not come again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from litgen_runtime.http.door import Door
from litgen_runtime.http.messages import Head, head_of

_END = b"\r\n\r\n"
_MOST = 512
_MAX_BYTES = 2048  # of a head that is kept
_MAX_HEADERS = 32
_NEVER_KEPT = frozenset(
    {b"authorization", b"proxy-authorization", b"x-api-key", b"cookie", b"x-request-id", b"traceparent"}
)


class Way(NamedTuple):
    """Where a head has led: its endpoint, what it says, and where its body starts and ends."""

    door: Door
    headers: list[tuple[bytes, bytes]]
    head: Head
    start: int
    end: int


class Lanes:
    """The short way to each endpoint that has one.

    Args:
        doors: the endpoints', by exact URL; some may come later.
    """

    def __init__(self, doors: Mapping[bytes, Door]) -> None:
        self.door_at = doors.get
        self._ways: dict[bytes, Way] = {}

    def way_of(self, data: bytes) -> Way | None:
        """Return the way of a whole request, with nothing behind it, whose head is known."""
        way = self._ways.get(data[: data.find(_END, 0, _MAX_BYTES) + len(_END)])
        return way if way is not None and way.end == len(data) else None

    def learn(self, data: bytes, door: Door, headers: list[tuple[bytes, bytes]], size: int) -> Head:
        """Return what the head of a request says, and know it from now on if ``data`` is that request.

        Args:
            data: what has come since the end of the request before it; empty if that is not known.
            door: where it goes.
            headers: all of them.
            size: of its body, in bytes.
        """
        head, start = head_of(headers), len(data) - size
        is_whole = 0 < start <= _MAX_BYTES and data.find(_END) + len(_END) == start
        if is_whole and len(headers) <= _MAX_HEADERS and _NEVER_KEPT.isdisjoint([name for name, _ in headers]):
            if len(self._ways) == _MOST:
                del self._ways[next(iter(self._ways))]
            self._ways[data[:start]] = Way(door, headers, head, start, len(data))
        return head
