"""Places that many share: nobody holds more than are free, so that there is one for whoever comes next; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


class Shares:
    """So many places, and who holds them.

    Alone one has half of them, two have a third each, and so on.

    Args:
        most: how many there are.
        held: whose those are that are taken, one entry for each place.
    """

    def __init__(self, most: int, held: Iterable[str] = ()) -> None:
        self._held = Counter(held)
        self._free = most - self._held.total()

    def held(self, who: str) -> int:
        """Return how many somebody holds."""
        return self._held[who]

    def room(self, who: str) -> int:
        """Return how many more somebody may take now."""
        return max(0, (self._free - self._held[who] + 1) // 2)

    def take(self, who: str, count: int) -> None:
        """Give somebody places."""
        self._held[who] += count
        self._free -= count
