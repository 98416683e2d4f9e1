"""GET /metrics, in the format that Prometheus reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sized
from typing import TYPE_CHECKING, Any, Protocol

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.dispatcher.stats import Histogram, Stats
from litgen_runtime.errors import MethodNotAllowed
from litgen_runtime.http.buckets import cumulative
from litgen_runtime.http.lifecycle import STATES, Lifecycle
from litgen_runtime.http.messages import (
    Answer,
    Receive,
    Scope,
    Send,
    header,
    request_id_of,
    send_answer,
)

if TYPE_CHECKING:
    from prometheus_client.core import Metric

_COUNTERS: tuple[tuple[str, str, str, Callable[[Stats], Counter[Any]]], ...] = (
    ("requests", "Answers by status", "status", lambda stats: stats.answers),
    (
        "refusals",
        "Requests not run, by problem code",
        "code",
        lambda stats: stats.refusals,
    ),
    (
        "cancellations",
        "Requests given up before their answer, by cause",
        "cause",
        lambda stats: stats.cancellations,
    ),
    (
        "worker_deaths",
        "Workers that ended unasked, by cause",
        "cause",
        lambda stats: stats.deaths,
    ),
    (
        "worker_recycles",
        "Workers replaced while they worked, by the key that asked for it",
        "cause",
        lambda stats: stats.recycles,
    ),
    (
        "batches",
        "Batches by the reason for which they went",
        "reason",
        lambda stats: stats.batches,
    ),
)
_HISTOGRAMS: tuple[tuple[str, str, Callable[[Stats], Histogram]], ...] = (
    (
        "request_duration_seconds",
        "From headers complete to the answer",
        lambda stats: stats.total_s,
    ),
    ("queue_duration_seconds", "In the endpoint's queue", lambda stats: stats.queue_s),
    (
        "batch_wait_duration_seconds",
        "With a worker, before and after predict",
        lambda stats: stats.batch_wait_s,
    ),
    ("run_duration_seconds", "In predict", lambda stats: stats.run_s),
    (
        "first_item_duration_seconds",
        "From headers complete to the first item of a stream",
        lambda stats: stats.first_item_s,
    ),
    ("batch_size", "Requests in a batch", lambda stats: stats.batch_size),
)


class Collector(Protocol):
    """Who has metrics."""

    def collect(self) -> Iterator[Metric]:
        """Yield them."""


class Metrics:
    """The page, and Prometheus' collector behind it.

    Args:
        lifecycle: where the service stands.
        dispatchers: the endpoints, by name.
        connections: those that are open.
        jobs: what there is to be said of jobs, if there are any.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        dispatchers: Mapping[str, Dispatcher],
        connections: Sized,
        jobs: Collector | None = None,
    ) -> None:
        self._jobs = jobs
        self._connections = connections
        self._lifecycle = lifecycle
        self._dispatchers = dispatchers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a scrape."""
        from prometheus_client import (
            CONTENT_TYPE_LATEST,
            CollectorRegistry,
            generate_latest,
        )

        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed("/metrics answers GET and HEAD.", {"Allow": "GET, HEAD"})
        registry = CollectorRegistry()
        registry.register(self)
        request_id = request_id_of(header(scope, b"x-request-id"))
        await send_answer(send, Answer(200, CONTENT_TYPE_LATEST.encode(), generate_latest(registry)), request_id)

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, read at this moment."""
        yield from self._gauges()
        yield from self._workers()
        yield from self._counters()
        yield from self._histograms()
        if self._jobs is not None:
            yield from self._jobs.collect()

    def _gauges(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        in_flight = GaugeMetricFamily("litgen_requests_in_flight", "Requests not answered yet")
        in_flight.add_metric([], self._lifecycle.in_flight)
        yield in_flight
        connections = GaugeMetricFamily("litgen_connections", "Open connections")
        connections.add_metric([], len(self._connections))
        yield connections
        queued = GaugeMetricFamily("litgen_queue_length", "Requests that no worker holds", labels=["endpoint"])
        age = GaugeMetricFamily("litgen_queue_age_seconds", "Age of the oldest of them", labels=["endpoint"])
        size = GaugeMetricFamily("litgen_queue_bytes", "Bytes of their bodies", labels=["endpoint"])
        arriving = GaugeMetricFamily(
            "litgen_arriving_bytes", "Bytes that have come of bodies still arriving", labels=["endpoint"]
        )
        for name, dispatcher in self._dispatchers.items():
            arriving.add_metric([name], dispatcher.arriving_bytes)
            queued.add_metric([name], dispatcher.queued)
            age.add_metric([name], dispatcher.queue_age_s)
            size.add_metric([name], dispatcher.queued_bytes)
        yield from (queued, age, size, arriving)

    def _workers(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        states = GaugeMetricFamily("litgen_workers", "Workers by state", labels=["endpoint", "state"])
        restarts = CounterMetricFamily("litgen_worker_restarts", "Workers started again", labels=["endpoint"])
        for name in self._dispatchers:
            workers = [worker for worker in self._lifecycle.workers.values() if worker.endpoint == name]
            for state in STATES:
                states.add_metric([name, state], sum(worker.state == state for worker in workers))
            restarts.add_metric([name], sum(worker.restarts for worker in workers))
        yield from (states, restarts)

    def _counters(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily

        items = CounterMetricFamily("litgen_stream_items", "Items that streams have yielded", labels=["endpoint"])
        for endpoint, dispatcher in self._dispatchers.items():
            if dispatcher.streams:
                items.add_metric([endpoint], dispatcher.stats.items)
        yield items
        for name, words, label, counts_of in _COUNTERS:
            family = CounterMetricFamily(f"litgen_{name}", words, labels=["endpoint", label])
            for endpoint, dispatcher in self._dispatchers.items():
                for value, count in counts_of(dispatcher.stats).items():
                    family.add_metric([endpoint, str(value)], count)
            yield family

    def _histograms(self) -> Iterator[Metric]:
        from prometheus_client.core import HistogramMetricFamily

        for name, words, histogram_of in _HISTOGRAMS:
            family = HistogramMetricFamily(f"litgen_{name}", words, labels=["endpoint"])
            for endpoint, dispatcher in self._dispatchers.items():
                histogram = histogram_of(dispatcher.stats)
                family.add_metric([endpoint], cumulative(histogram), histogram.total)
            yield family
