from __future__ import annotations

import json

import pytest

from litgen_runtime.bench.client import Tally
from litgen_runtime.bench.metrics import Inside
from litgen_runtime.bench.report import Outcome, document, duration, progress, text

INSIDE = Inside(
    0.018,
    {"queue": 0.001, "batch wait": 0.004, "run": 0.01, "rest": 0.003},
    2,
    16.5,
    {"1": 1, "17-32": 1},
    {"full": 1, "window": 1},
    {"ready": 1},
)


def outcome(answered: int = 4, failures: int = 0, inside: Inside | None = INSIDE) -> Outcome:
    """Return a load of two seconds."""
    tally = Tally()
    for _ in range(answered):
        tally.latencies.record(0.02)
        tally.recent.record(0.02)
    if failures:
        tally.failures["503 queue-full"] = failures
        tally.details["503 queue-full"] = "It is full."
    return Outcome("/embed", "http://127.0.0.1:1", 64, 2.0, tally, inside, interrupted=False)


def test_text() -> None:
    """Throughput, percentiles, batches, and where the time went, in a few lines."""
    page = text(outcome())
    assert "throughput  2.0 requests/s" in page
    assert "p50 20 ms   p90 20 ms   p95 20 ms   p99 20 ms   max 20 ms" in page
    assert "2 of 16.5 requests on average; went: full 1, window 1" in page
    assert "run           10 ms   50%" in page
    assert "outside        2 ms   10%" in page
    assert "workers     1 ready; 0 started again" in page


def test_failures_say_what_they_were() -> None:
    """A failure has its number, its name and the words of the first one."""
    assert "3 x 503 queue-full: It is full." in text(outcome(failures=3))
    assert outcome(failures=3).failed


def test_no_answer_at_all() -> None:
    """A load without an answer fails, and says what to do."""
    assert outcome(answered=0).failed
    assert "--duration" in text(outcome(answered=0))
    assert not outcome().failed


def test_without_metrics() -> None:
    """A service that does not tell is said not to."""
    assert "/metrics could not be read" in text(outcome(inside=None))


def test_document() -> None:
    """Programs get the same, in seconds."""
    told = json.loads(json.dumps(document(outcome(failures=1))))
    assert (told["requests"], told["failed"], told["failures"]) == (5, 1, {"503 queue-full": 1})
    assert told["requests_per_s"] == 2.0
    assert told["latency_s"]["p99"] == pytest.approx(0.02)
    assert told["inside"]["batch_sizes"] == {"1": 1, "17-32": 1}
    assert "items_per_s" not in told


def test_progress_forgets_what_it_has_said() -> None:
    """Each line is about the time since the last one; failures are of the whole load."""
    tally = outcome(failures=2).tally
    assert progress(tally, 1.0, 1.0, 10.0) == "   1 of 10 s         4.0 req/s   p50 20 ms   p99 20 ms   2 failed"
    assert progress(tally, 1.0, 2.0, 10.0) == "   2 of 10 s         0.0 req/s   2 failed"


@pytest.mark.parametrize(
    ("seconds", "words"), [(12.34, "12.3 s"), (1234.0, "1,234 s"), (0.01234, "12.3 ms"), (0.000123, "123 µs")]
)
def test_duration(seconds: float, words: str) -> None:
    """Three digits, and the unit that suits them."""
    assert duration(seconds) == words
