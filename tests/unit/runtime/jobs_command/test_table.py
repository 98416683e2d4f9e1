from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from litgen_runtime.jobs_command.table import backlog, seconds, table

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def job(**changes: Any) -> dict[str, Any]:
    """Return a job as the service tells it."""
    return {
        "id": "job_1",
        "endpoint": "embed",
        "status": "running",
        "attempt": 2,
        "created_at": "2026-11-21T11:58:30.000Z",
        "started_at": "2026-11-21T11:59:55.000Z",
        "cancel_requested_at": None,
        "progress": 0.375,
        "note": "page 3 of 8",
        "metrics": {"queued_s": 85.0, "run_s": None},
    } | changes


@pytest.mark.parametrize(
    ("count", "words"),
    [(-1, "0.0s"), (0.04, "0.0s"), (9.94, "9.9s"), (90, "90s"), (121, "2m"), (7300, "2h"), (172_801, "2d")],
)
def test_durations(count: float, words: str) -> None:
    """In the unit that fits."""
    assert seconds(count) == words


def test_a_table() -> None:
    """Columns stand below their heads, whatever a model has said."""
    lines = table(
        [job(), job(id="job_22", status="running", cancel_requested_at="x", note="a\nb\x1b[2J" + "c" * 99)], NOW
    )
    assert lines[0] == "ID      ENDPOINT  STATUS             ATTEMPT  AGE  TOOK  PROGRESS"
    assert lines[1] == "job_1   embed     running            2        90s  5.0s  38% page 3 of 8"
    assert lines[2].startswith("job_22  embed     running (to stop)  2        90s  5.0s  38% a·b·[2Jccc")
    assert len(lines[2]) < 110


def test_a_backlog() -> None:
    """What waits and runs; before that a store in trouble, and what nobody does."""
    endpoints = {
        "embed": {"running": 1, "waiting": 0, "oldest_s": 0.0},
        "read": {"running": 0, "waiting": 7, "oldest_s": 300.0},
    }
    assert backlog({"trouble": "disk full", "stranded": ["2 jobs wait"], "endpoints": endpoints}) == [
        "the store cannot write: disk full",
        "2 jobs wait",
        "embed: 1 running, 0 waiting",
        "read: 0 running, 7 waiting, the first in turn for 5m",
    ]
