"""Percentiles of any number of durations in constant memory. A pure core."""

from __future__ import annotations

from math import ceil, exp, log

_GROWTH = 1.01
_SMALLEST_S = 1e-6
_STEP = log(_GROWTH)
_BUCKETS = 2400  # the last one begins at about 6 hours


class Latencies:
    """Durations by bucket; each bucket is 1 % wider than the one before, so a percentile is off by 0.5 % at most."""

    def __init__(self) -> None:
        self.count = 0
        self.total_s = 0.0
        self.min_s = float("inf")
        self.max_s = 0.0
        self._buckets = [0] * _BUCKETS

    def record(self, seconds: float) -> None:
        """Count one duration."""
        self.count += 1
        self.total_s += seconds
        self.min_s = min(self.min_s, seconds)
        self.max_s = max(self.max_s, seconds)
        place = int(log(seconds / _SMALLEST_S) / _STEP) if seconds > _SMALLEST_S else 0
        self._buckets[min(place, _BUCKETS - 1)] += 1

    @property
    def mean_s(self) -> float:
        """The mean, in seconds; 0 of none."""
        return self.total_s / self.count if self.count else 0.0

    def percentile_s(self, percent: float) -> float:
        """Return the duration that so many percent of all do not pass (nearest rank), in seconds; 0 of none.

        Args:
            percent: 0 to 100.
        """
        wanted = max(1, ceil(self.count * percent / 100))
        seen = 0
        for place, count in enumerate(self._buckets):
            seen += count
            if seen >= wanted:
                middle_s = _SMALLEST_S * exp(_STEP * (place + 0.5))
                return min(max(middle_s, self.min_s), self.max_s)
        return 0.0
