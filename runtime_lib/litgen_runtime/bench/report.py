"""What a load came to: for people, and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from litgen_runtime.bench.client import Tally
from litgen_runtime.bench.latencies import Latencies
from litgen_runtime.bench.metrics import Inside

PERCENTILES = (50, 90, 95, 99)
_BAR = 30


@dataclass(frozen=True)
class Outcome:
    """A load that has ended.

    Args:
        path: what was asked.
        url: of the service.
        connections: how many asked.
        seconds: how long that counted.
        tally: what the clients saw.
        inside: what the service says; None if its /metrics could not be read.
        interrupted: whether somebody stopped it early.
    """

    path: str
    url: str
    connections: int
    seconds: float
    tally: Tally
    inside: Inside | None
    interrupted: bool

    @property
    def failed(self) -> bool:
        """Whether a request failed, or none was answered."""
        return bool(self.tally.failed) or not self.tally.latencies.count


def document(outcome: Outcome) -> dict[str, Any]:
    """Return everything as a JSON document; times are in seconds."""
    tally = outcome.tally
    told: dict[str, Any] = {
        "path": outcome.path,
        "url": outcome.url,
        "connections": outcome.connections,
        "duration_s": round(outcome.seconds, 3),
        "interrupted": outcome.interrupted,
        "requests": tally.latencies.count + tally.failed,
        "failed": tally.failed,
        "failures": dict(tally.failures),
        "failure_details": tally.details,
        "requests_per_s": tally.latencies.count / outcome.seconds,
        "latency_s": _times(tally.latencies),
    }
    if tally.firsts.count:
        told |= {"items_per_s": tally.items / outcome.seconds, "first_item_s": _times(tally.firsts)}
    return told | {"inside": asdict(outcome.inside) if outcome.inside else None}


def text(outcome: Outcome) -> str:
    """Return a page for people."""
    return "\n".join(_lines(outcome)) + "\n"


def progress(tally: Tally, seconds: float, elapsed_s: float, duration_s: float) -> str:
    """Return one line about the last ``seconds``, which are forgotten then."""
    recent, tally.recent = tally.recent, Latencies()
    items, tally.recent_items = tally.recent_items, 0
    parts = [f"{elapsed_s:4.0f} of {duration_s:g} s", f"{recent.count / seconds:>9,.1f} req/s"]
    if items:
        parts.append(f"{items / seconds:>9,.1f} items/s")
    if recent.count:
        parts.append(f"p50 {duration(recent.percentile_s(50))}   p99 {duration(recent.percentile_s(99))}")
    return "   ".join([*parts, f"{tally.failed:,} failed"])


def duration(seconds: float) -> str:
    """Return a time with three digits that mean something, and its unit."""
    if seconds >= 1:
        return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:,.0f} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def _times(latencies: Latencies) -> dict[str, float]:
    percentiles = {f"p{percent}": latencies.percentile_s(percent) for percent in PERCENTILES}
    return {"mean": latencies.mean_s, **percentiles, "max": latencies.max_s}


def _lines(outcome: Outcome) -> Iterator[str]:
    tally, seconds = outcome.tally, outcome.seconds
    stopped = ", stopped early" if outcome.interrupted else ""
    connections = f"{outcome.connections} connection{'s' if outcome.connections != 1 else ''}"
    yield f"POST {outcome.path} at {outcome.url}: {connections} for {seconds:.1f} s{stopped}"
    yield ""
    yield _row("requests", f"{tally.latencies.count:,} answered, {tally.failed:,} failed")
    for name, count in tally.failures.most_common():
        detail = tally.details.get(name)
        yield _row("", f"{count:,} x {name}" + (f": {detail}" if detail else ""))
    if not tally.latencies.count:
        yield _row("", "" if tally.failed else "None has ended yet: give them more time with --duration.")
        return
    yield _row("throughput", f"{tally.latencies.count / seconds:,.1f} requests/s")
    if tally.firsts.count:
        yield _row("", f"{tally.items / seconds:,.1f} items/s")
        yield _row("first item", _percentiles(tally.firsts))
    yield _row("latency", _percentiles(tally.latencies))
    if outcome.inside:
        yield from _inside(outcome.inside, tally.latencies.mean_s)
    else:
        yield _row("inside", "unknown: /metrics could not be read; see whether the service's middleware keeps it")


def _inside(inside: Inside, mean_s: float) -> Iterator[str]:
    if inside.batches:
        reasons = ", ".join(f"{name} {count:,}" for name, count in inside.batch_reasons.items())
        yield _row("batches", f"{inside.batches:,} of {inside.batch_mean:.1f} requests on average; went: {reasons}")
        yield from _bars(inside.batch_sizes)
    parts = {**inside.steps_s, "outside": max(mean_s - inside.total_s, 0.0)}
    yield _row("time", f"{duration(mean_s)} on average:")
    for name, seconds in parts.items():
        yield _row("", f"{name:<10} {duration(seconds):>8}  {seconds / mean_s:4.0%}  {_MEANING[name]}")
    states = ", ".join(f"{count} {state}" for state, count in inside.workers.items()) or "none"
    deaths = "".join(f", {count} died of {cause}" for cause, count in inside.deaths.items())
    yield _row("workers", f"{states}; {inside.restarts} started again{deaths}")


_MEANING = {
    "queue": "in the endpoint's queue",
    "batch wait": "with a worker, before and after predict",
    "run": "in predict",
    "rest": "in the service otherwise: reading, checking, answering",
    "outside": "between this client and the service",
}


def _bars(sizes: Mapping[str, int]) -> Iterator[str]:
    most = max(sizes.values(), default=1)
    for name, count in sizes.items():
        yield _row("", f"{name:>9}  {'█' * max(1, round(count / most * _BAR)):<{_BAR}}  {count:,}")


def _percentiles(latencies: Latencies) -> str:
    parts: Iterable[str] = (f"p{percent} {duration(latencies.percentile_s(percent))}" for percent in PERCENTILES)
    return "   ".join([*parts, f"max {duration(latencies.max_s)}"])


def _row(name: str, words: str) -> str:
    return f"{name:<12}{words}".rstrip()
