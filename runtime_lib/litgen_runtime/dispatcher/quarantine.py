"""Requests that have killed workers, remembered for a while by their content. A pure core."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

_MOST = 1024


class Quarantine:
    """What is refused at the door.

    Args:
        keep_s: how long a body is remembered, in seconds; None remembers nothing.
        key_of: what a body is known by.
    """

    def __init__(self, keep_s: float | None, key_of: Callable[[bytes], bytes]) -> None:
        self.key_of = key_of
        self._keep_s = keep_s
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def add(self, body: bytes, now: float) -> None:
        """Remember a body that has killed workers."""
        if self._keep_s is None:
            return
        key = self.key_of(body)
        self._until[key] = now + self._keep_s
        self._until.move_to_end(key)
        if len(self._until) > _MOST:
            self._until.popitem(last=False)

    def holds(self, body: bytes, now: float) -> float | None:
        """Return for how many seconds more a body is refused; None for one that is not."""
        if not self._until:
            return None
        key = self.key_of(body)
        until = self._until.get(key)
        if until is not None and until <= now:
            del self._until[key]
            return None
        return None if until is None else until - now


def digest(body: bytes) -> bytes:
    """Return what a body is known by that is all there is to know."""
    return hashlib.sha256(body).digest()
