"""Putting a backup in the place of a job store: all of it or nothing, wherever that is broken off.

The new store is made in a folder beside the old one, ``<store>.restoring.partial``, and whole by the time that this is
renamed to ``<store>.restoring``. From then on it is the store: whoever opens that, or restores again, first finishes
what is left to do. The files of the old one are moved into the same folder, which is given its last name after that.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from litgen_runtime.jobs.backup import BackupFailed, back_up
from litgen_runtime.jobs.blobs import make_folder, sync_folder
from litgen_runtime.jobs.ownership import own
from litgen_runtime.jobs.schema import VERSION

_NEW, _OLD = "new", "jobs.db"
_BESIDE = ("-wal", "-shm", "-journal", "")  # the database last: without it the others are nobody's


class Restored(NamedTuple):
    """What has been done: how many jobs and files there are now, and where the old store is, if there was one."""

    jobs: int
    files: int
    old: Path | None


def restore(backup: Path, store: Path) -> Restored:
    """Put a copy of a backup in the place of a store, which no service may use meanwhile.

    Args:
        backup: the database; files are in ``<backup>.files``. It is left as it is.
        store: the database; files are in ``<store>.files``. What is there is moved away.

    Raises:
        BackupFailed: the backup is no store, or damaged, or of a later version, or cannot be copied.
        StartupError: a service has the store, or its folder cannot be written.
    """
    _expect_whole(backup)
    lock = own(store)
    try:
        finish(store)  # what an earlier one has left
        partial = Path(f"{store}.restoring.partial")
        make_folder(partial)
        try:
            jobs, files = back_up(backup, partial / _NEW)
            partial.rename(f"{store}.restoring")
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        sync_folder(store.parent)
        return Restored(jobs, files, finish(store))
    except OSError as error:
        raise BackupFailed(f"{store} cannot be replaced: {error}. Put that right, and restore again.") from None
    finally:
        os.close(lock)


def finish(store: Path) -> Path | None:
    """Put a store in place that has been restored, if one has; return where the old one is, if there was one."""
    shutil.rmtree(f"{store}.restoring.partial", ignore_errors=True)  # of one that was broken off before
    folder = Path(f"{store}.restoring")
    if not folder.is_dir():
        return None
    _swap(folder, store, ".files", (".files",))
    _swap(folder, store, "", _BESIDE)
    if not any(folder.iterdir()):
        folder.rmdir()
        return None
    old = _free(f"{store}.replaced-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    folder.rename(old)
    sync_folder(store.parent)
    return old / _OLD


def _swap(folder: Path, store: Path, end: str, ends: Sequence[str]) -> None:
    """Move what stands there away, and there what is new; nothing where that has been done."""
    new = folder / f"{_NEW}{end}"
    if not new.exists():
        return
    for each in ends:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{store}{each}").rename(folder / f"{_OLD}{each}")
    sync_folder(folder)
    new.rename(f"{store}{end}")
    sync_folder(folder)
    sync_folder(store.parent)


def _free(name: str) -> Path:
    """Return a path where nothing stands: a second may see two of them."""
    path, number = Path(name), 1
    while path.exists():
        number += 1
        path = Path(f"{name}-{number}")
    return path


def _expect_whole(backup: Path) -> None:
    """Make sure that a backup is one, that this version can read.

    Raises:
        BackupFailed: it is not.
    """
    if not backup.is_file():
        raise BackupFailed(f"There is no backup at {backup}. Name the file that `jobs backup` has made.")
    try:
        with contextlib.closing(sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro", uri=True)) as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            (found,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        raise BackupFailed(f"{backup} cannot be read as a job store: {error}. Name another backup.") from None
    if not version or not {"jobs", "payloads", "events", "keys"} <= tables:
        raise BackupFailed(f"{backup} is a database, but no job store. Name the file that `jobs backup` has made.")
    if version > VERSION:
        raise BackupFailed(
            f"{backup} was written by a later version of the runtime (schema {version}; this one knows {VERSION}). "
            "Restore it with that version, or name another backup."
        )
    if found != "ok":
        raise BackupFailed(f"{backup} is damaged: {found}. Name another backup.")
