"""The rows of the embedded store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields
from typing import Any

from litgen_runtime.jobs.delivery import Callback
from litgen_runtime.jobs.delivery_rows import SqliteMailRows, columns_of
from litgen_runtime.jobs.record import Job, Status
from litgen_runtime.jobs.store import MAX_PROGRESS, Backlog, Event, Key, Payload, Query

_NAMES = tuple(field.name for field in fields(Job))
_COLUMNS = ", ".join(_NAMES)
_INSERT = f"INSERT INTO jobs ({_COLUMNS}) VALUES ({', '.join('?' * len(_NAMES))})"  # noqa: S608 - our own names
_FIXED = ("id", "endpoint", "principal", "created_at", "input_bytes", "start_by", "cancel_at", "retries")
_CHANGING = tuple(name for name in _NAMES if name not in _FIXED)
_UPDATE = f"UPDATE jobs SET {', '.join(f'{name} = ?' for name in _CHANGING)} WHERE id = ?"  # noqa: S608 - our own names
_PAYLOAD = "INSERT OR REPLACE INTO payloads VALUES ((SELECT seq FROM jobs WHERE id = ?), ?, ?, ?, ?, ?)"
# Behind a job; where it is no more, behind the place that its id, which begins with the time, would have had.
_BEFORE = (
    "seq < COALESCE((SELECT seq FROM jobs WHERE id = ?), "
    "(SELECT seq + 1 FROM jobs WHERE id < ? ORDER BY id DESC LIMIT 1))"
)


class SqliteRows(SqliteMailRows):
    """What a work may do with a connection that is in a transaction.

    Args:
        connection: the database.
    """

    def insert(self, job: Job, body: Payload, key: Key | None, callback: Callback | None = None) -> None:
        """Add a job, and note who is to be told of it."""
        seq = self._run(_INSERT, astuple(job)).lastrowid
        self._run("INSERT INTO payloads VALUES (?, 'body', ?, ?, ?, ?)", (seq, *body))
        if key is not None:
            self._run("INSERT INTO keys VALUES (?, ?, ?, ?, ?)", (*key, seq))
        if callback is not None:
            self._run("INSERT INTO callbacks VALUES (?, ?, ?, ?, ?)", (seq, *columns_of(callback)))

    def put(self, job: Job, result: Payload | None = None) -> None:
        """Write what has changed about a job."""
        self._run(_UPDATE, (*(getattr(job, name) for name in _CHANGING), job.id))
        if result is not None:
            self._run(_PAYLOAD, (job.id, "result", *result))

    def get(self, job_id: str) -> Job | None:
        """Return a job."""
        return next(self._jobs("WHERE id = ?", job_id), None)

    def job_of(self, key: Key) -> tuple[str, bytes] | None:
        """Return the id that a key stands for, and the fingerprint that it was used with."""
        found = self._run(
            "SELECT id, fingerprint FROM keys JOIN jobs ON seq = job "
            "WHERE keys.principal = ? AND route = ? AND key = ?",
            key[:3],
        ).fetchone()
        return found and (found[0], found[1])

    def body(self, job_id: str) -> Payload | None:
        """Return what a job was asked with."""
        return self._payload(job_id, "body")

    def result(self, job_id: str) -> Payload | None:
        """Return what came of it."""
        return self._payload(job_id, "result")

    def waiting(self, endpoint: str, now: float, limit: int) -> Sequence[Job]:
        """Return jobs that may be claimed, those that are due first first."""
        which = "WHERE status = 'queued' AND endpoint = ? AND not_before <= ? ORDER BY not_before, seq LIMIT ?"
        return list(self._jobs(which, endpoint, now, limit))

    def running(self) -> Sequence[Job]:
        """Return the jobs that run."""
        return list(self._jobs("WHERE status = 'running' ORDER BY seq"))

    def bring_forward(self, later_than: float, to: float) -> None:
        """Have what waits for a far moment wait until another: the clock may have been set back since."""
        self._run("UPDATE jobs SET not_before = ? WHERE status = 'queued' AND not_before > ?", (to, later_than))

    def overtaken(self, now: float, limit: int) -> Sequence[Job]:
        """Return jobs whose time to begin, or to end, is over."""
        late = self._jobs("WHERE status = 'queued' AND start_by <= ? AND attempt = 0 LIMIT ?", now, limit)
        over = self._jobs(
            "WHERE status IN ('queued', 'running') AND cancel_at <= ? AND cancel_requested_at IS NULL LIMIT ?",
            now,
            limit,
        )
        return list({job.id: job for job in (*late, *over)}.values())

    def page(self, query: Query) -> Sequence[Job]:
        """Return jobs that are not gone, the latest first."""
        parts, values = ["principal = ?", "is_gone = 0"], [query.principal]
        for column, value in (("status", query.status), ("endpoint", query.endpoint)):
            if value is not None:
                parts.append(f"{column} = ?")
                values.append(str(value))
        if query.before is not None:
            parts.append(_BEFORE)
            values += [query.before, query.before]
        which = f"WHERE {' AND '.join(parts)} ORDER BY seq DESC LIMIT ?"
        return list(self._jobs(which, *values, query.limit))

    def backlog(self) -> dict[str, Backlog]:
        """Return what waits, by endpoint; dear."""
        rows = self._run(
            "SELECT endpoint, COUNT(*), SUM(input_bytes), MIN(created_at) FROM jobs WHERE status = 'queued' "
            "GROUP BY endpoint"
        )
        return {endpoint: Backlog(count, size, oldest) for endpoint, count, size, oldest in rows}

    def oldest(self, endpoint: str) -> float | None:
        """Return when the job was accepted that is first in turn."""
        job = next(
            self._jobs("WHERE status = 'queued' AND endpoint = ? ORDER BY not_before, seq LIMIT 1", endpoint), None
        )
        return None if job is None else job.created_at

    def add_event(self, job_id: str, at: float, kind: str, data: bytes) -> None:
        """Note that something happened, and forget progress that is long past."""
        (seq,) = self._run("SELECT seq FROM jobs WHERE id = ?", (job_id,)).fetchone()
        (number,) = self._run("SELECT COALESCE(MAX(number), 0) + 1 FROM events WHERE job = ?", (seq,)).fetchone()
        self._run("INSERT INTO events VALUES (?, ?, ?, ?, ?)", (seq, number, at, kind, data))
        if number > MAX_PROGRESS:
            past = "DELETE FROM events WHERE job = ? AND number = ? AND kind = 'progress'"
            self._run(past, (seq, number - MAX_PROGRESS))

    def events(self, job_id: str, after: int, limit: int) -> Sequence[Event]:
        """Return what has happened since."""
        rows = self._run(
            "SELECT number, at, kind, data FROM events WHERE job = (SELECT seq FROM jobs WHERE id = ?) AND number > ? "
            "ORDER BY number LIMIT ?",
            (job_id, after, limit),
        )
        return [Event(*row) for row in rows]

    def old(self, now: float, limit: int) -> Sequence[Job]:
        """Return jobs that need not be kept as they are any longer."""
        return list(self._jobs("WHERE keep_until <= ? ORDER BY keep_until LIMIT ?", now, limit))

    def strip(self, job_id: str) -> Sequence[str]:
        """Delete a job's payloads, events and key; return the names of its files."""
        found = self._run("SELECT seq FROM jobs WHERE id = ?", (job_id,)).fetchone()
        names = self._run("SELECT file FROM payloads WHERE job = ? AND file IS NOT NULL", found).fetchall()
        for table in ("payloads", "keys", "events"):
            self._run(f"DELETE FROM {table} WHERE job = ?", found)  # noqa: S608 - our own names
        return [name for (name,) in names]

    def delete(self, job_id: str) -> None:
        """Delete what is left of a job."""
        for table in ("callbacks", "deliveries"):
            self._run(f"DELETE FROM {table} WHERE job = (SELECT seq FROM jobs WHERE id = ?)", (job_id,))  # noqa: S608 - our own names
        self._run("DELETE FROM jobs WHERE id = ?", (job_id,))

    def files(self) -> set[str]:
        """Return the names of all files."""
        return {name for (name,) in self._run("SELECT file FROM payloads WHERE file IS NOT NULL")}

    def _jobs(self, which: str, *values: Any) -> Iterator[Job]:
        rows = self._run(f"SELECT {_COLUMNS} FROM jobs {which}", values)  # noqa: S608 - our own names
        return (_job(row) for row in rows)

    def _payload(self, job_id: str, kind: str) -> Payload | None:
        row = self._run(
            "SELECT content_type, size, data, file FROM payloads "
            "WHERE job = (SELECT seq FROM jobs WHERE id = ?) AND kind = ?",
            (job_id, kind),
        ).fetchone()
        return Payload(*row) if row else None


_STATUS = _NAMES.index("status")
_FLAGS = (_NAMES.index("retries"), _NAMES.index("is_gone"))


def _job(row: Sequence[Any]) -> Job:
    values = list(row)
    values[_STATUS] = Status(values[_STATUS])
    for flag in _FLAGS:
        values[flag] = bool(values[flag])
    return Job(*values)
