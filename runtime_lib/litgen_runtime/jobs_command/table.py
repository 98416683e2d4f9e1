"""Jobs as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_HEADS = ("ID", "ENDPOINT", "STATUS", "ATTEMPT", "AGE", "TOOK", "PROGRESS")
_MAIL_HEADS = ("ID", "TYPE", "STATUS", "ATTEMPTS", "LAST", "NEXT IN", "URL")
_ABOUT = (
    "id",
    "endpoint",
    "status",
    "attempt",
    "created_at",
    "started_at",
    "finished_at",
    "expires_at",
    "cancel_requested_at",
    "progress",
    "note",
)
_MAX_NOTE = 40


def table(jobs: Iterable[Mapping[str, Any]], now: datetime | None = None) -> list[str]:
    """Return the lines of a table of jobs."""
    now = now or datetime.now(UTC)
    return _lines([_HEADS, *(_row(job, now) for job in jobs)])


def mail(deliveries: Iterable[Mapping[str, Any]], now: datetime | None = None) -> list[str]:
    """Return the lines of a table of webhooks."""
    now = now or datetime.now(UTC)
    return _lines([_MAIL_HEADS, *(_mail_row(delivery, now) for delivery in deliveries)])


def _lines(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def about(job: Mapping[str, Any]) -> list[str]:
    """Return the lines that say everything of one job."""
    lines = [f"{name + ':':<21}{_plain(job[name])}" for name in _ABOUT if job[name] is not None]
    error = job.get("error")
    if error:
        lines.append(f"{'error:':<21}{error['code']}: {_plain(error['detail'])}")
    return [*lines, f"{'result:':<21}{job['urls']['result']}"]


def backlog(found: Mapping[str, Any]) -> list[str]:
    """Return the lines that say what waits and runs."""
    lines = [] if found["trouble"] is None else [f"the store cannot write: {found['trouble']}"]
    lines += found.get("stranded", ())  # a service of another version may not say so
    for name, counts in found["endpoints"].items():
        oldest = f", the first in turn for {seconds(counts['oldest_s'])}" if counts["waiting"] else ""
        lines.append(f"{name}: {counts['running']} running, {counts['waiting']} waiting{oldest}")
    return lines


def age_s(job: Mapping[str, Any], member: str, now: datetime) -> float:
    """Return for how many seconds a time of a job has passed."""
    return (now - datetime.fromisoformat(job[member])).total_seconds()


def seconds(count: float) -> str:
    """Return a duration in the unit that fits."""
    for size, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "m")):
        if count >= 2 * size:
            return f"{count / size:.0f}{unit}"
    return f"{max(count, 0.0):.0f}s" if count >= 10 else f"{max(count, 0.0):.1f}s"


def _row(job: Mapping[str, Any], now: datetime) -> Sequence[str]:
    run_s = job["metrics"]["run_s"]
    if run_s is None and job["status"] == "running":
        run_s = age_s(job, "started_at", now)
    share = "" if job["progress"] is None else f"{job['progress']:.0%}"
    note = _plain(job["note"] or "")[:_MAX_NOTE]
    return (
        job["id"],
        job["endpoint"],
        job["status"] + (" (to stop)" if job["status"] == "running" and job["cancel_requested_at"] else ""),
        str(job["attempt"]),
        seconds(age_s(job, "created_at", now)),
        "" if run_s is None else seconds(run_s),
        f"{share} {note}".strip(),
    )


def _mail_row(delivery: Mapping[str, Any], now: datetime) -> Sequence[str]:
    due = delivery["next_attempt_at"]
    return (
        delivery["id"],
        delivery["type"],
        delivery["status"],
        str(delivery["attempts"]),
        _plain(delivery["last_error"] or delivery["last_status"] or ""),
        "" if due is None else seconds(-age_s(delivery, "next_attempt_at", now)),
        _plain(delivery["url"]),
    )


def _plain(value: object) -> str:
    """Return a text that moves no cursor: what a model says is shown, not obeyed."""
    return "".join(letter if letter.isprintable() else "·" for letter in str(value))
