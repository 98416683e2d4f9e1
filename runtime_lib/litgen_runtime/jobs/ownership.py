"""Whose a job store is: one process's at a time, and one user's."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from litgen_runtime.errors import StartupError
from litgen_runtime.jobs.blobs import make_folder


def own(path: Path) -> int:
    """Make a store's folder and take its lock; return the descriptor, which is held for as long as it is used.

    Raises:
        StartupError: another process has it, or there can be none.
    """
    try:
        make_folder(path.parent)
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _no_place(path, error) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise StartupError(
            f"{path} belongs to another process. One service owns a job store: stop the other one, or set jobs.store."
        ) from None
    return lock


def make_private(path: Path) -> None:
    """Make the file of a store, unless it is there, before a database writes to it.

    Raises:
        StartupError: it cannot be made, or not be written.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except IsADirectoryError:
        raise StartupError(
            f"{path} is a folder; expected the job store's file. Set jobs.store to a file, such as jobs.db in it."
        ) from None
    except OSError as error:
        if not path.exists():
            raise _no_place(path, error) from None
        raise StartupError(
            f"{path} cannot be written: {error.strerror}. Let the service's user write to it, or set jobs.store."
        ) from None


def _no_place(path: Path, error: OSError) -> StartupError:
    return StartupError(
        f"{path.parent} cannot hold the job store: {error.strerror}: {error.filename}. Let the service write there, or "
        "set jobs.store."
    )
