"""Histograms as Prometheus counts them."""

from __future__ import annotations

from litgen_runtime.dispatcher.stats import Histogram


def cumulative(histogram: Histogram) -> list[tuple[str, float]]:
    """Return (upper bound, how many values are at most that), ascending."""
    buckets, seen = [], 0
    for bound, count in zip((*map(str, histogram.bounds), "+Inf"), histogram.counts, strict=True):
        seen += count
        buckets.append((bound, float(seen)))
    return buckets
