"""Bodies of any media type on their way to a worker: the data itself, or where it has been written to.

Such a body travels in a frame as JSON does, with its content type before it.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable
from typing import NamedTuple

_HEAD = struct.Struct("<?HQ")  # whether a path follows the content type, the content type's size, the data's size
_BOUNDARY = re.compile(rb"""multipart/[^;]*;.*?boundary=(?:"([^"]+)"|([^\s;"]+))""", re.IGNORECASE | re.DOTALL)


class ContentKey:
    """Tells contents apart while they arrive; a form's boundary, which is another one each time, does not count.

    Args:
        content_type: the Content-Type header.
    """

    def __init__(self, content_type: bytes) -> None:
        match = _BOUNDARY.match(content_type)
        self._boundary: bytes = (match[1] or match[2]) if match else b""
        self._hash = hashlib.sha256(content_type.replace(self._boundary, b"") if match else content_type)
        self._rest = b""

    def update(self, data: bytes | bytearray) -> None:
        """Take the next bytes."""
        if not self._boundary:
            self._hash.update(data)
            return
        *before, rest = (self._rest + data).split(self._boundary)
        for piece in before:
            self._hash.update(piece)
        keep = min(len(self._boundary) - 1, len(rest))  # a boundary may go on in the next bytes
        self._hash.update(rest[: len(rest) - keep])
        self._rest = rest[len(rest) - keep :]

    def digest(self) -> bytes:
        """Return the key of what has been taken so far."""
        whole = self._hash.copy()
        whole.update(self._rest)
        return whole.digest()


class SpooledBody(bytes):
    """What a frame carries for a body that stands in a file."""

    size: int  # of the file, in bytes
    content_key: bytes
    discard: Callable[[], None]  # deletes the file


class Sent(NamedTuple):
    """What a worker is told of a body: ``data``, or the ``path`` of a file that holds it."""

    content_type: str
    size: int
    data: bytes = b""
    path: str | None = None


def inline_head(content_type: bytes, size: int) -> bytes:
    """Return what a frame carries before the bytes of a body that is small enough to travel itself."""
    return _HEAD.pack(False, len(content_type), size) + content_type


def inline_body(content_type: bytes, data: bytes) -> bytes:
    """Return what a frame carries for such a body."""
    return inline_head(content_type, len(data)) + data


def spooled_body(content_type: bytes, path: str, size: int, key: bytes, discard: Callable[[], None]) -> SpooledBody:
    """Return what a frame carries for a body that has been written to a file.

    Args:
        content_type: the Content-Type header.
        path: the file.
        size: how many bytes it holds.
        key: what the quarantine knows the content by.
        discard: deletes the file.
    """
    head = _HEAD.pack(True, len(content_type), size)
    body = SpooledBody(head + content_type + path.encode("utf-8", "surrogateescape"))
    body.size, body.content_key, body.discard = size, key, discard
    return body


def content_key(body: bytes) -> bytes:
    """Return what the quarantine knows such a body by."""
    if isinstance(body, SpooledBody):
        return body.content_key
    length = _HEAD.unpack_from(body)[1]
    key = ContentKey(body[_HEAD.size : _HEAD.size + length])
    key.update(body[_HEAD.size + length :])
    return key.digest()


def unpack_body(body: bytes | memoryview) -> Sent:
    """Return what a worker is told of a body."""
    on_disk, length, size = _HEAD.unpack_from(body)
    start = _HEAD.size + length
    content_type, rest = bytes(body[_HEAD.size : start]).decode("latin-1"), bytes(body[start:])
    if on_disk:
        return Sent(content_type, size, path=rest.decode("utf-8", "surrogateescape"))
    return Sent(content_type, size, data=rest)
