"""What an endpoint has done, counted as it happens and cheap enough to be always on. A pure core.

``http/metrics.py`` turns it into Prometheus' format when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque

SECONDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
)
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
_RECENT = 512


class Histogram:
    """Values by bucket.

    Args:
        bounds: the buckets' upper bounds, ascending; one without a bound is added.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Stats:
    """One endpoint's counts since the service started."""

    def __init__(self) -> None:
        self.answers: Counter[int] = Counter()  # by status
        self.refusals: Counter[str] = Counter()  # by problem code
        self.cancellations: Counter[str] = Counter()  # client-gone, timeout
        self.deaths: Counter[str] = Counter()  # by cause
        self.recycles: Counter[str] = Counter()  # by the key that asked for it
        self.batches: Counter[str] = Counter()  # by the reason for which they went
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self.items = 0  # of streams
        self.first_item_s = Histogram()
        self.batch_size = Histogram(SIZES)
        self.total_s = Histogram()
        self.queue_s = Histogram()
        self.batch_wait_s = Histogram()
        self.run_s = Histogram()

    def answered(self, status: int, total_s: float) -> None:
        """An answer goes to the client, ``total_s`` seconds after its headers were complete."""
        self.answers[status] += 1
        self.total_s.observe(total_s)
        if status == 200:
            self._recent.append(total_s)

    def recent_quantiles(self, *quantiles: float) -> list[float]:
        """Return how many seconds the latest results took, by quantile (0 to 1); nothing where there were none."""
        ordered = sorted(self._recent)
        return [ordered[min(int(q * len(ordered)), len(ordered) - 1)] for q in quantiles] if ordered else []

    def ran(self, queue_s: float, held_s: float, run_s: float) -> None:
        """A worker has answered: seconds in our queue, with the worker, and of those in ``predict``."""
        self.queue_s.observe(queue_s)
        self.batch_wait_s.observe(max(held_s - run_s, 0.0))
        self.run_s.observe(run_s)

    def batched(self, size: int, reason: str) -> None:
        """A batch has begun."""
        self.batch_size.observe(size)
        self.batches[reason] += 1
