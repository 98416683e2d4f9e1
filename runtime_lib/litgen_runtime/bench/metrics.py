"""What the service itself has counted meanwhile: the difference of two readings of /metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, tuple[tuple[str, str], ...]]

_STEPS = {"queue": "queue_duration", "batch wait": "batch_wait_duration", "run": "run_duration"}


@dataclass(frozen=True)
class Reading:
    """One endpoint's samples at one moment."""

    values: Mapping[Sample, float]

    @classmethod
    def of(cls, page: str, endpoint: str) -> Reading:
        """Read a page in Prometheus' format.

        Args:
            page: the text.
            endpoint: whose samples are kept.
        """
        values = {}
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                labels = dict(sample.labels)
                if labels.pop("endpoint", None) == endpoint:
                    values[sample.name, tuple(sorted(labels.items()))] = sample.value
        return cls(values)

    def since(self, earlier: Reading) -> Reading:
        """Return what has been added."""
        return Reading({key: value - earlier.values.get(key, 0.0) for key, value in self.values.items()})

    def value(self, name: str) -> float:
        """Return the sum of a metric over all its labels but the endpoint."""
        return sum(value for (found, _), value in self.values.items() if found == f"litgen_{name}")

    def by(self, name: str, label: str) -> dict[str, float]:
        """Return a metric by one of its labels, the largest first, without those that are 0."""
        found = {dict(labels)[label]: value for (key, labels), value in self.values.items() if key == f"litgen_{name}"}
        return dict(sorted(((key, value) for key, value in found.items() if value), key=lambda pair: -pair[1]))

    def mean(self, name: str) -> float | None:
        """Return the mean of a histogram; None if nothing was observed."""
        count = self.value(f"{name}_count")
        return self.value(f"{name}_sum") / count if count else None


@dataclass(frozen=True)
class Inside:
    """What a service did during a load, by its own account.

    Args:
        total_s: the mean time from headers complete to the answer, in seconds.
        steps_s: the parts of it, by name: queue, batch wait, run, rest.
        batches: how many began.
        batch_mean: the mean number of requests in a batch.
        batch_sizes: batches by size, as ranges such as ``"17-32"``, in order.
        batch_reasons: batches by the reason for which they went.
        workers: by state, at the end.
        restarts: workers started again.
        deaths: by cause.
    """

    total_s: float
    steps_s: dict[str, float]
    batches: int = 0
    batch_mean: float = 0.0
    batch_sizes: dict[str, int] = field(default_factory=dict)
    batch_reasons: dict[str, int] = field(default_factory=dict)
    workers: dict[str, int] = field(default_factory=dict)
    restarts: int = 0
    deaths: dict[str, int] = field(default_factory=dict)


def compared(before: Reading, after: Reading) -> Inside:
    """Return what happened between two readings."""
    spent = after.since(before)
    total_s = spent.mean("request_duration_seconds") or 0.0
    steps_s = {step: spent.mean(f"{name}_seconds") or 0.0 for step, name in _STEPS.items()}
    steps_s["rest"] = max(total_s - sum(steps_s.values()), 0.0)
    return Inside(
        total_s,
        steps_s,
        int(spent.value("batch_size_count")),
        spent.mean("batch_size") or 0.0,
        _sizes(spent),
        _whole(spent.by("batches_total", "reason")),
        _whole(after.by("workers", "state")),
        int(spent.value("worker_restarts_total")),
        _whole(spent.by("worker_deaths_total", "cause")),
    )


def _sizes(spent: Reading) -> dict[str, int]:
    """Take the cumulative buckets apart."""
    buckets = sorted(
        (float(dict(labels)["le"]), count)
        for (name, labels), count in spent.values.items()
        if name == "litgen_batch_size_bucket"
    )
    sizes, lower, seen = {}, 0.0, 0.0
    for bound, cumulative in buckets:
        if count := int(cumulative - seen):
            sizes[_range(lower, bound)] = count
        lower, seen = bound, cumulative
    return sizes


def _range(lower: float, upper: float) -> str:
    """Name the whole numbers that lie above one bound and not above the next."""
    if upper == float("inf"):
        return f"over {lower:g}"
    return f"{upper:g}" if upper - lower <= 1 else f"{lower + 1:g}-{upper:g}"


def _whole(counts: Mapping[str, float]) -> dict[str, int]:
    return {key: int(value) for key, value in counts.items()}
