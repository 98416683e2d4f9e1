"""What a database's errors mean for whoever runs the service."""

from __future__ import annotations

import sqlite3
from pathlib import Path

_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_NO_RIGHT = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is what is wrong: no later try fares better."""
    return _kind(error) in _DAMAGE


def damaged(path: Path, error: sqlite3.Error | str) -> str:
    """Return what is wrong with a damaged store, and what to do."""
    return (
        f"the job store {path} is damaged: {error}. Stop the service and put a backup in its place with `jobs restore "
        f"FILE`; or move {path}, {path}-wal, {path}-shm and {path}.files away, and begin with an empty one."
    )


def unopened(path: Path, error: sqlite3.Error) -> str:
    """Return why a store cannot be opened, and what to do."""
    kind = _kind(error)
    if kind in _NO_RIGHT:
        return (
            f"{path} cannot be written as a job store: {error}. The store is not damaged: let the service's user write "
            f"to it and to its folder, {path.parent}, where the database keeps files beside it."
        )
    if kind in (*_DAMAGE, sqlite3.SQLITE_ERROR):  # the latter: a table that is not there, or is another one
        return damaged(path, error)
    return f"{path} cannot be opened as a job store: {error}. Put that right, and start the service again."


def _kind(error: sqlite3.Error) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF  # the rest says more of the same
