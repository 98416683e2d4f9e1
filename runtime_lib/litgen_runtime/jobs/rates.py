"""How fast jobs may come: what a minute brings, and a burst of it at once."""

from __future__ import annotations

import math
from collections.abc import Mapping

from litgen_runtime.errors import RateLimited

_ROUNDING = 1e-6  # of a job


class Rate:
    """A token bucket for each one who asks, full at first; pure, with the clock passed in.

    Args:
        per_minute: how many a minute brings.
        burst: how many it holds.
    """

    def __init__(self, per_minute: float, burst: int) -> None:
        self._every_s = 60.0 / per_minute
        self._burst = burst
        self._missing: dict[str, tuple[float, float]] = {}  # how many, and when that was so

    def take(self, who: str, now: float) -> float:
        """Take one, and return 0.0; or return how many seconds it takes until there is one.

        Args:
            who: asks; each has a bucket.
            now: the time in seconds, never less than before.
        """
        missing, at = self._missing.get(who, (0.0, now))
        missing = max(0.0, missing - (now - at) / self._every_s)
        over = missing + 1.0 - self._burst
        if over > _ROUNDING:
            return over * self._every_s
        self._missing[who] = missing + 1.0, now
        return 0.0

    def give_back(self, who: str) -> None:
        """Put one back that was taken."""
        missing, at = self._missing[who]
        self._missing[who] = max(0.0, missing - 1.0), at


class Rates:
    """How fast jobs of each endpoint may come.

    Args:
        rates: by endpoint; where there is none they come as they like.
    """

    def __init__(self, rates: Mapping[str, Rate]) -> None:
        self._rates = rates

    def take(self, endpoint: str, principal: str, now: float) -> None:
        """Count a job that is handed in.

        Raises:
            RateLimited: it is too many.
        """
        rate = self._rates.get(endpoint)
        wait_s = rate.take(principal, now) if rate is not None else 0.0
        if wait_s:
            whose = f" of {principal}" if principal else ""
            retry_s = math.ceil(wait_s)
            raise RateLimited(
                f"Jobs{whose} for {endpoint} come faster than they are accepted. Retry in {retry_s} s.",
                {"Retry-After": str(retry_s)},
            )

    def give_back(self, endpoint: str, principal: str) -> None:
        """Do not count one that was handed in and is none."""
        rate = self._rates.get(endpoint)
        if rate is not None:
            rate.give_back(principal)
