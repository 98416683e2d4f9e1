"""What GET /metrics says of jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from litgen_runtime.http.buckets import cumulative
from litgen_runtime.jobs.desk import Desk
from litgen_runtime.jobs.record import TERMINAL

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class JobMetrics:
    """Prometheus' collector of a desk.

    Args:
        desk: the jobs.
        webhooks: how many attempts of webhooks had which outcome; None where there are none.
    """

    def __init__(self, desk: Desk, webhooks: Mapping[str, int] | None = None) -> None:
        self._desk = desk
        self._webhooks = webhooks

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, read at this moment."""
        yield from self._backlog()
        yield from self._counters()
        yield from self._store()
        if self._webhooks is not None:
            yield from _webhooks(self._webhooks)

    def _backlog(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        jobs = GaugeMetricFamily("litgen_jobs_waiting", "Jobs that wait to run", labels=["endpoint"])
        size = GaugeMetricFamily("litgen_jobs_waiting_bytes", "Bytes of their bodies", labels=["endpoint"])
        age = GaugeMetricFamily("litgen_jobs_waiting_age_seconds", "Age of the first in turn", labels=["endpoint"])
        running = GaugeMetricFamily("litgen_jobs_running", "Jobs that run", labels=["endpoint"])
        for name in self._desk.endpoints:
            waiting = self._desk.ledger.backlogs[name]
            jobs.add_metric([name], waiting.jobs)
            size.add_metric([name], waiting.bytes)
            age.add_metric([name], self._desk.oldest_s(name))
            running.add_metric([name], self._desk.running(name))
        yield from (jobs, size, age, running)

    def _counters(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        stats = self._desk.stats
        ended = CounterMetricFamily("litgen_jobs_ended", "Jobs by how they ended", labels=["endpoint", "status"])
        attempts = CounterMetricFamily("litgen_job_attempts", "Attempts that have begun", labels=["endpoint"])
        from_calls = CounterMetricFamily("litgen_jobs_from_calls", "Calls that became jobs", labels=["endpoint"])
        accept = HistogramMetricFamily(
            "litgen_job_accept_duration_seconds",
            "From headers complete to the job being on the disk",
            labels=["endpoint"],
        )
        for name in self._desk.endpoints:
            for status in sorted(TERMINAL):
                ended.add_metric([name, status], stats.ended[name, status])
            attempts.add_metric([name], stats.attempts[name])
            from_calls.add_metric([name], stats.from_calls[name])
            histogram = stats.accept_s[name]
            accept.add_metric([name], cumulative(histogram), histogram.total)
        yield from (ended, attempts, from_calls, accept)

    def _store(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        failures = CounterMetricFamily("litgen_job_store_write_failures", "Writes that the job store has refused")
        failures.add_metric([], self._desk.ledger.write_failures)
        writable = GaugeMetricFamily("litgen_job_store_writable", "Whether the job store could write, the last time")
        writable.add_metric([], 0.0 if self._desk.trouble else 1.0)
        yield from (failures, writable)


def _webhooks(outcomes: Mapping[str, int]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily

    attempts = CounterMetricFamily("litgen_webhook_attempts", "Attempts of webhooks by outcome", labels=["outcome"])
    for outcome in ("delivered", "failed", "dead", "blocked"):
        attempts.add_metric([outcome], outcomes.get(outcome, 0))
    yield attempts
