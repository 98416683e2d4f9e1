"""Copying a job store, also while a service uses it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

from litgen_runtime.errors import LitgenError
from litgen_runtime.jobs.blobs import sync_folder
from litgen_runtime.jobs.damage import damaged, is_damage

_TRIES = 5


class BackupFailed(LitgenError):
    """There is no copy: the message says why."""


def back_up(store: Path, target: Path) -> tuple[int, int]:
    """Copy a store as it is at one moment; return how many jobs and files that are.

    The copy can be used as a store, with ``<target>.files`` beside it.

    Args:
        store: the database; files are in ``<store>.files``.
        target: where the copy is to be; neither it nor ``<target>.files`` may be there yet.

    Raises:
        BackupFailed: it cannot be read or written.
    """
    if not store.is_file():
        raise BackupFailed(
            f"There is no job store at {store}. Run this where the service's folder is, or set jobs.store."
        )
    folder, copied = Path(f"{store}.files"), Path(f"{target}.files")
    _expect_room(target, copied)
    partial = Path(f"{target}.partial")
    try:
        copied.mkdir(mode=0o700)
        for _ in range(_TRIES):
            jobs, names = _copy(store, partial)
            missing = [name for name, size in names.items() if not _has(folder / name, copied / name, size)]
            if not missing:  # else their jobs have been deleted since, and the next copy does not name them
                break
        else:
            raise BackupFailed(
                f"{folder / missing[0]} is named by the store and is not there, or not whole. Restore an older backup."
            )
        for path in copied.iterdir():
            if path.name not in names:
                path.unlink()
        sync_folder(copied)
        partial.rename(target)
        sync_folder(target.parent)
    except (OSError, sqlite3.Error) as error:
        _drop(partial, copied)
        if isinstance(error, sqlite3.Error) and is_damage(error):
            raise BackupFailed(f"There is nothing to copy: {damaged(store, error)}") from None
        raise BackupFailed(f"{store} cannot be copied to {target}: {error}.") from None
    except BaseException:
        _drop(partial, copied)
        raise
    return jobs, len(names)


def _expect_room(target: Path, copied: Path) -> None:
    for path in (target, copied):
        if path.exists():
            raise BackupFailed(f"{path} is there already. Name another file, or move it away.")
    if not target.parent.is_dir():
        raise BackupFailed(f"There is no folder {target.parent}. Make it, or name a file in another one.")


def _copy(store: Path, target: Path) -> tuple[int, dict[str, int]]:
    """Copy the database at one moment; return how many jobs are in it, and the sizes of the files that it names."""
    target.unlink(missing_ok=True)
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    source = sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)
    copy = sqlite3.connect(target, isolation_level=None)
    with contextlib.closing(source), contextlib.closing(copy):
        source.backup(copy)
        (jobs,) = copy.execute("SELECT COUNT(*) FROM jobs").fetchone()
        names = dict(copy.execute("SELECT file, size FROM payloads WHERE file IS NOT NULL"))
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
    return jobs, names


def _has(source: Path, target: Path, size: int) -> bool:
    """Copy a file unless it has been copied; they are written once. False if it is not there, or not of its size."""
    if not target.exists():
        try:
            with source.open("rb") as there, open(target, "xb", opener=_private) as here:
                shutil.copyfileobj(there, here)
                here.flush()
                os.fsync(here.fileno())
        except FileNotFoundError:
            return False
    return target.stat().st_size == size


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _drop(partial: Path, copied: Path) -> None:
    partial.unlink(missing_ok=True)
    shutil.rmtree(copied, ignore_errors=True)
