from __future__ import annotations

import pytest

from litgen_runtime.bench.metrics import Reading, compared

PAGE = """\
# TYPE litgen_request_duration_seconds histogram
litgen_request_duration_seconds_bucket{{endpoint="embed",le="+Inf"}} {count}
litgen_request_duration_seconds_count{{endpoint="embed"}} {count}
litgen_request_duration_seconds_sum{{endpoint="embed"}} {total}
# TYPE litgen_queue_duration_seconds histogram
litgen_queue_duration_seconds_bucket{{endpoint="embed",le="+Inf"}} {count}
litgen_queue_duration_seconds_count{{endpoint="embed"}} {count}
litgen_queue_duration_seconds_sum{{endpoint="embed"}} {queue}
# TYPE litgen_batch_size histogram
litgen_batch_size_bucket{{endpoint="embed",le="1.0"}} {ones}
litgen_batch_size_bucket{{endpoint="embed",le="2.0"}} {ones}
litgen_batch_size_bucket{{endpoint="embed",le="4.0"}} {fours}
litgen_batch_size_bucket{{endpoint="embed",le="+Inf"}} {fours}
litgen_batch_size_count{{endpoint="embed"}} {fours}
litgen_batch_size_sum{{endpoint="embed"}} {items}
# TYPE litgen_batches counter
litgen_batches_total{{endpoint="embed",reason="full"}} {full}
litgen_batches_total{{endpoint="other",reason="full"}} 99
# TYPE litgen_workers gauge
litgen_workers{{endpoint="embed",state="ready"}} 2
litgen_workers{{endpoint="embed",state="loading"}} 0
"""


def reading(**values: float) -> Reading:
    """Return what a page says of the endpoint embed."""
    zero = dict.fromkeys(("count", "total", "queue", "ones", "fours", "items", "full"), 0.0)
    return Reading.of(PAGE.format(**{**zero, **values}), "embed")


def test_means_are_of_what_was_added() -> None:
    """Only what happened between the readings counts, and what no step explains is the rest."""
    inside = compared(reading(count=10, total=5.0, queue=5.0), reading(count=20, total=7.0, queue=5.5))
    assert inside.total_s == pytest.approx(0.2)
    assert inside.steps_s == pytest.approx({"queue": 0.05, "batch wait": 0, "run": 0, "rest": 0.15})


def test_batches_by_size() -> None:
    """Cumulative buckets become ranges, without empty ones."""
    inside = compared(reading(), reading(ones=3, fours=8, items=23, full=8))
    assert inside.batch_sizes == {"1": 3, "3-4": 5}
    assert (inside.batches, inside.batch_mean) == (8, 23 / 8)


def test_other_endpoints_do_not_count() -> None:
    """The page of a service tells of all its endpoints."""
    assert compared(reading(), reading(full=8)).batch_reasons == {"full": 8}


def test_workers_by_state() -> None:
    """Workers are those of the end; states without any are left out."""
    assert compared(reading(), reading()).workers == {"ready": 2}


def test_nothing_happened() -> None:
    """No request is no division by zero."""
    assert compared(reading(), reading()).total_s == 0
