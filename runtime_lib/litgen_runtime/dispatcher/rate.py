"""How fast an endpoint answers, for honest ``Retry-After`` values."""

from __future__ import annotations

import math

_HALF_LIFE_S = 5.0


class DrainRate:
    """Answers a second, old ones weighing half as much every five seconds; the clock is passed in."""

    def __init__(self, now: float) -> None:
        self._weight = 0.0
        self._born = now
        self._seen = now

    def count(self, now: float, answers: int) -> None:
        """Note answers that went out."""
        self._weight = self._weight * math.exp2((self._seen - now) / _HALF_LIFE_S) + answers
        self._seen = now

    def seconds_for(self, waiting: int, now: float) -> int:
        """Return how long ``waiting`` requests will take, as whole seconds from 1 to 60."""
        self.count(now, 0)
        # A steady rate r builds up the weight r * half_life / ln 2, less what was before the first answer.
        age = min((now - self._born) / _HALF_LIFE_S, 50.0)
        per_second = self._weight * math.log(2) / (_HALF_LIFE_S * (1 - math.exp2(-max(age, 1e-6))))
        if per_second <= 0:
            return 5
        return 60 if waiting >= 60 * per_second else max(math.ceil(waiting / per_second), 1)
