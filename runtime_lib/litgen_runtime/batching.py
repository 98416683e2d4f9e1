"""When a batch goes, and with what: a pure core, the clock passed in.

The device asks for a batch when it is free, and gets what has arrived by then:

* as many as ``max_size``, or as much as ``max_weight``: at once (``full``);
* fewer: when the oldest has waited ``max_wait_s`` (``window``);
* fewer, and the recent arrivals do not promise company within the window: at once (``alone``).

What was cancelled or has expired is dropped at that moment, and only then. Patient items take the places that others
leave.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from enum import IntEnum
from itertools import chain
from math import inf
from typing import Generic, NamedTuple, TypeAlias, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

_RECENT_ARRIVALS = 16


class Reason(IntEnum):
    """Why a batch went."""

    FULL = 0
    WINDOW = 1
    ALONE = 2


class Batch(NamedTuple, Generic[K, T]):
    """Items that run together, oldest first, and their keys; the last ``patient`` of them are patient ones."""

    keys: list[K]
    items: list[T]
    reason: Reason
    patient: int = 0


class Poll(NamedTuple, Generic[K, T]):
    """What the batcher says to a free device.

    ``batch`` is what to run now; without one, ``wake_at`` is when to ask again (None: at the next arrival).
    ``dropped`` are the keys that nobody waits for any more.
    """

    dropped: list[K]
    batch: Batch[K, T] | None = None
    wake_at: float | None = None


_Waiting: TypeAlias = tuple[T, float, float, float]  # item, arrival, deadline, weight


class Batcher(Generic[K, T]):
    """The items that wait for a device, in order of arrival.

    Args:
        max_size: the most items in a batch, at least 1.
        max_wait_s: how long the oldest item may wait for company, in seconds.
        max_weight: the most that a batch's items weigh together; one that is heavier goes alone.
    """

    def __init__(self, max_size: int, max_wait_s: float, max_weight: float = inf) -> None:
        self._max_size = max_size
        self._max_wait_s = max_wait_s
        self._max_weight = max_weight
        self._waiting: dict[K, _Waiting[T]] = {}
        self._patient: dict[K, _Waiting[T]] = {}
        self._cancelled: list[K] = []
        self._gaps: deque[float] = deque(maxlen=_RECENT_ARRIVALS)
        self._last_arrival = -inf
        self._device_busy = False

    def __len__(self) -> int:
        return len(self._waiting) + len(self._patient)

    def rest(self) -> bool:
        """Note that the device is free; return whether there is nothing for it, and a poll would say nothing."""
        self._device_busy = False
        return not (self._waiting or self._patient or self._cancelled)

    def add(self, key: K, item: T, now: float, deadline: float, weight: float = 0.0, *, patient: bool = False) -> None:
        """Take an item that arrived ``now`` and is worthless after ``deadline`` (``inf``: never)."""
        in_company = self._device_busy or bool(self)
        self._gaps.append(now - self._last_arrival if in_company else inf)
        self._last_arrival = now
        waiting = self._patient if patient else self._waiting
        waiting[key] = (item, now, deadline, weight)

    def cancel(self, key: K) -> None:
        """Take an unwanted item out; the next poll names it among the dropped. Unknown keys are fine."""
        if self._taken(key) is not None:
            self._cancelled.append(key)

    def take_back(self, key: K) -> bool:
        """Take an item out again; False if it is not here."""
        return self._taken(key) is not None

    def poll(self, now: float) -> Poll[K, T]:
        """Say what a device that is free ``now`` should do."""
        self._device_busy = False
        keys, items, expired, full = self._next(now)
        for key in expired:
            self._taken(key)
        dropped, self._cancelled = self._cancelled + expired, []
        if not keys:
            return Poll(dropped)
        closes_at = (self._waiting or self._patient)[keys[0]][1] + self._max_wait_s
        if full:
            reason = Reason.FULL
        elif closes_at <= now:
            reason = Reason.WINDOW
        elif self._last_arrival + self._expected_gap() > closes_at:
            reason = Reason.ALONE
        else:
            return Poll(dropped, wake_at=closes_at)
        self._device_busy = True
        before = len(self._patient)
        for key in keys:
            self._taken(key)
        return Poll(dropped, Batch(keys, items, reason, before - len(self._patient)))

    def _taken(self, key: K) -> _Waiting[T] | None:
        return self._waiting.pop(key, None) or self._patient.pop(key, None)

    def _next(self, now: float) -> tuple[list[K], list[T], list[K], bool]:
        """Return the next live items: keys, items, the keys of those found expired before them, whether no more fit."""
        keys: list[K] = []
        items: list[T] = []
        expired: list[K] = []
        total, max_size, max_weight = 0.0, self._max_size, self._max_weight
        for key, (item, _, deadline, weight) in chain(self._waiting.items(), self._patient.items()):
            if deadline <= now:
                expired.append(key)
                continue
            total += weight
            if keys and total > max_weight:
                return keys, items, expired, True
            keys.append(key)
            items.append(item)
            if len(keys) == max_size:
                return keys, items, expired, True
        return keys, items, expired, total >= max_weight

    def _expected_gap(self) -> float:
        """Seconds until the next arrival, as the latest ones tell; ``inf`` when two in three came alone.

        Only arrivals that found others waiting or running count: a single client that asks again as soon as it is
        answered arrives often, and never brings company.
        """
        gaps = [gap for gap in self._gaps if gap < inf]
        if 3 * len(gaps) < len(self._gaps):
            return inf
        return sum(gaps) / len(gaps)
