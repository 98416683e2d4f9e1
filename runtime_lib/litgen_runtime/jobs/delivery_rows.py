"""The rows of deliveries in the embedded store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from litgen_runtime.jobs.delivery import Callback, Delivery, DeliveryStatus, Line, Posting

_NAMES = tuple(field.name for field in fields(Delivery))
_COLUMNS = ", ".join("jobs.id" if name == "job" else f"deliveries.{name}" for name in _NAMES)
_FROM = "FROM deliveries JOIN jobs ON jobs.seq = deliveries.job"
_CHANGING = ("status", "due", "step", "attempts", "ended_at", "last_at", "last_status", "last_error")
_UPDATE = f"UPDATE deliveries SET {', '.join(f'{name} = ?' for name in _CHANGING)} WHERE id = ?"  # noqa: S608 - our own names
_OF_ITS_JOB = {name: f"(SELECT {name} FROM jobs WHERE id = ?)" for name in ("seq", "principal")}  # noqa: S608 - our own names
_VALUES = ", ".join(_OF_ITS_JOB["seq"] if name == "job" else "?" for name in _NAMES)
_INSERT = (
    f"INSERT INTO deliveries ({', '.join(_NAMES)}, body, principal) "  # noqa: S608 - our own names
    f"VALUES ({_VALUES}, ?, {_OF_ITS_JOB['principal']})"
)
# From one line to the next in the index: as many steps as there are lines, however much waits in one of them
# (a comparison of both columns at once would use no more than the first one of the index).
_LINES = """
    WITH RECURSIVE found(seq, principal, place, due) AS (
        SELECT * FROM (
            SELECT seq, principal, place, due FROM deliveries WHERE status = 'pending'
            ORDER BY principal, place, due, seq LIMIT 1
        )
        UNION ALL
        SELECT next.seq, next.principal, next.place, next.due FROM found JOIN deliveries AS next ON next.seq = COALESCE(
            (SELECT seq FROM deliveries WHERE status = 'pending' AND principal = found.principal
             AND place > found.place ORDER BY place, due, seq LIMIT 1),
            (SELECT seq FROM deliveries WHERE status = 'pending' AND principal > found.principal
             ORDER BY principal, place, due, seq LIMIT 1)
        )
    )
    SELECT principal, place, due FROM found
"""


class SqliteMailRows:
    """What a work may do with a connection that is in a transaction.

    Args:
        connection: the database.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._run = connection.execute

    def callback(self, job_id: str) -> Callback | None:
        """Return who wants to be told of a job."""
        row = self._run(
            "SELECT url, place, events, base FROM callbacks WHERE job = (SELECT seq FROM jobs WHERE id = ?)", (job_id,)
        ).fetchone()
        return row and Callback(row[0], row[1], frozenset(row[2].split(",")), row[3])

    def add_delivery(self, delivery: Delivery, body: bytes) -> None:
        """Add a delivery."""
        self._run(_INSERT, (*(getattr(delivery, name) for name in _NAMES), body, delivery.job))

    def put_delivery(self, delivery: Delivery) -> None:
        """Write what has changed about a delivery; nothing happens if it is not there any more."""
        self._run(_UPDATE, (*(getattr(delivery, name) for name in _CHANGING), delivery.id))

    def delivery(self, delivery_id: str) -> Delivery | None:
        """Return a delivery."""
        return next(self._deliveries("WHERE deliveries.id = ?", delivery_id), None)

    def deliveries(self, job_id: str) -> Sequence[Delivery]:
        """Return those of a job, the earliest first."""
        return list(self._deliveries("WHERE jobs.id = ? ORDER BY deliveries.seq", job_id))

    def bring_deliveries_forward(self, later_than: float, to: float) -> None:
        """Have what waits for a far moment wait until another: the clock may have been set back since."""
        self._run("UPDATE deliveries SET due = ? WHERE status = 'pending' AND due > ?", (to, later_than))

    def lines(self) -> Sequence[tuple[Line, float]]:
        """Return where something is pending, and when the first of it is due."""
        return [(Line(principal, place), due) for principal, place, due in self._run(_LINES)]

    def pending(self, line: Line, limit: int) -> Sequence[Posting]:
        """Return what is pending there, what is due first first."""
        which = (
            "WHERE deliveries.status = 'pending' AND deliveries.principal = ? AND place = ? "
            "ORDER BY due, deliveries.seq LIMIT ?"
        )
        rows = self._run(f"SELECT {_COLUMNS}, body {_FROM} {which}", (*line, limit))
        return [Posting(_delivery(row[:-1]), row[-1], line.principal) for row in rows]

    def _deliveries(self, which: str, value: str) -> Iterator[Delivery]:
        rows = self._run(f"SELECT {_COLUMNS} {_FROM} {which}", (value,))
        return (_delivery(row) for row in rows)


_STATUS = _NAMES.index("status")


def _delivery(row: Sequence[Any]) -> Delivery:
    values = list(row)
    values[_STATUS] = DeliveryStatus(values[_STATUS])
    return Delivery(*values)


def columns_of(callback: Callback) -> tuple[str, str, str, str]:
    """Return a callback as it is stored."""
    return callback.url, callback.place, ",".join(sorted(callback.events)), callback.base
