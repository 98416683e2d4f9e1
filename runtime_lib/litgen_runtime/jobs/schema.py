"""The tables of the embedded store, version by version. A released version never changes; a new one is added below."""

from __future__ import annotations

import sqlite3

from litgen_runtime.errors import StartupError

_VERSIONS = (
    """
    CREATE TABLE jobs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        endpoint TEXT NOT NULL,
        principal TEXT NOT NULL,
        status TEXT NOT NULL,
        created_at REAL NOT NULL,
        not_before REAL NOT NULL,
        input_bytes INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        fence INTEGER NOT NULL,
        retries INTEGER NOT NULL,
        start_by REAL,
        cancel_at REAL,
        cancel_requested_at REAL,
        started_at REAL,
        finished_at REAL,
        keep_until REAL,
        error BLOB,
        progress REAL,
        note TEXT,
        is_gone INTEGER NOT NULL
    );
    CREATE INDEX jobs_waiting ON jobs (endpoint, not_before, seq) WHERE status = 'queued';
    CREATE INDEX jobs_running ON jobs (seq) WHERE status = 'running';
    CREATE INDEX jobs_start_by ON jobs (start_by) WHERE status = 'queued' AND start_by IS NOT NULL;
    CREATE INDEX jobs_cancel_at ON jobs (cancel_at) WHERE status IN ('queued', 'running') AND cancel_at IS NOT NULL;
    CREATE INDEX jobs_old ON jobs (keep_until) WHERE keep_until IS NOT NULL;
    CREATE INDEX jobs_listed ON jobs (principal, seq) WHERE is_gone = 0;
    CREATE INDEX jobs_listed_by_status ON jobs (principal, status, seq) WHERE is_gone = 0;
    CREATE INDEX jobs_listed_by_endpoint ON jobs (principal, endpoint, seq) WHERE is_gone = 0;
    CREATE INDEX jobs_listed_by_both ON jobs (principal, endpoint, status, seq) WHERE is_gone = 0;
    CREATE TABLE payloads (
        job INTEGER NOT NULL,
        kind TEXT NOT NULL,
        content_type TEXT NOT NULL,
        size INTEGER NOT NULL,
        data BLOB,
        file TEXT,
        PRIMARY KEY (job, kind)
    );
    CREATE TABLE keys (
        principal TEXT NOT NULL,
        route TEXT NOT NULL,
        key TEXT NOT NULL,
        fingerprint BLOB NOT NULL,
        job INTEGER NOT NULL,
        PRIMARY KEY (principal, route, key)
    ) WITHOUT ROWID;
    CREATE INDEX keys_of ON keys (job);
    CREATE TABLE events (
        job INTEGER NOT NULL,
        number INTEGER NOT NULL,
        at REAL NOT NULL,
        kind TEXT NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (job, number)
    ) WITHOUT ROWID;
    CREATE TABLE callbacks (
        job INTEGER PRIMARY KEY,
        url TEXT NOT NULL,
        place TEXT NOT NULL,
        events TEXT NOT NULL,
        base TEXT NOT NULL
    );
    CREATE TABLE deliveries (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        job INTEGER NOT NULL,
        principal TEXT NOT NULL,
        type TEXT NOT NULL,
        url TEXT NOT NULL,
        place TEXT NOT NULL,
        status TEXT NOT NULL,
        created_at REAL NOT NULL,
        due REAL NOT NULL,
        step INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        ended_at REAL,
        last_at REAL,
        last_status INTEGER,
        last_error TEXT,
        body BLOB NOT NULL
    );
    CREATE INDEX deliveries_pending ON deliveries (principal, place, due, seq) WHERE status = 'pending';
    CREATE INDEX deliveries_of ON deliveries (job, seq);
    """,
)

VERSION = len(_VERSIONS)


def bring_up_to_date(connection: sqlite3.Connection, path: str) -> None:
    """Give a database the tables of this version, all or nothing.

    Raises:
        StartupError: a later version has written it.
    """
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > VERSION:
        raise StartupError(
            f"{path} was written by a later version of the runtime (schema {found}; this one knows {VERSION}). "
            "Start that version again, or give jobs.store another file."
        )
    for number, script in enumerate(_VERSIONS[found:], start=found + 1):
        connection.executescript(f"BEGIN IMMEDIATE;{script}PRAGMA user_version = {number};COMMIT;")
