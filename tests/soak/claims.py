"""What has to hold when nobody asks for anything any more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.soak.target import Sample, Target

_WORKERS = 7
_HTTP_GROWTH = 24_000_000
_SUPERVISOR_GROWTH = 6_000_000
_AT_REST = (
    "litgen_requests_in_flight",
    "litgen_queue_length",
    "litgen_queue_bytes",
    "litgen_queue_age_seconds",
    "litgen_arriving_bytes",
)


def unquiet(
    health: Any, metrics: str, endpoints: Iterable[str], target: Target, samples: Sequence[Sample]
) -> list[str]:
    """Return what is not at rest, a line each.

    Args:
        health: the document of /health.
        metrics: the page of /metrics.
        endpoints: which there are.
        target: the service's processes.
        samples: earlier measurements: descriptors are as many as they were.
    """
    words = _in_health(health, endpoints)
    for family in text_string_to_metric_families(metrics):
        if family.name in _AT_REST:
            words += [f"{s.name}{s.labels} is {s.value:g}" for s in family.samples if s.value]
    if len(target.workers) != _WORKERS:
        words.append(f"{len(target.workers)} workers instead of {_WORKERS}")
    words += [f"process {pid} is a zombie" for pid in target.zombies()]
    return words + _in_descriptors(target.sample(), samples)


def _in_health(health: Any, endpoints: Iterable[str]) -> list[str]:
    words = [] if health["status"] == "ready" else [f"the service is {health['status']}: {health['waiting_for']}"]
    if health["in_flight"]:
        words.append(f"{health['in_flight']} requests are in flight")
    for name in endpoints:
        state = health["endpoints"][name]
        if state["queued"]:
            words.append(f"{state['queued']} requests wait for {name}")
        words += [f"a worker of {name} is {w['state']}" for w in state["workers"] if w["state"] != "ready"]
    return words


def _in_descriptors(now: Sample, samples: Sequence[Sample]) -> list[str]:
    words = []
    if samples and now.supervisor_fds != samples[0].supervisor_fds:
        words.append(f"the supervisor has {now.supervisor_fds} descriptors; at first {samples[0].supervisor_fds}")
    if samples and now.http_fds != samples[0].http_fds:
        words.append(f"the HTTP process has {now.http_fds} descriptors; the first one had {samples[0].http_fds}")
    return words


def growth(samples: Sequence[Sample]) -> list[str]:
    """Return what has grown from the first lap (the warm-up) to the last one."""
    words = []
    warm, last = samples[1], samples[-1]
    if (grown := last.supervisor_rss - warm.supervisor_rss) > _SUPERVISOR_GROWTH:
        words.append(f"the supervisor has grown by {grown / 1e6:.1f} MB")
    same = [sample for sample in samples if sample.http_pid == last.http_pid]
    if (grown := last.http_rss - same[0].http_rss) > _HTTP_GROWTH:
        words.append(f"the HTTP process has grown by {grown / 1e6:.1f} MB in {len(same) - 1} laps")
    return words
