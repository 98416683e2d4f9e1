"""The embedded store: one SQLite file, one process that owns it, one thread that writes.

Many works share a transaction, and so the wait for the disk (a group commit). ``synchronous=FULL`` in WAL mode: what a
future has told is there after a power cut. Not for a network file system: its locks are not to be relied upon.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from litgen_runtime.errors import StartupError
from litgen_runtime.jobs.blobs import make_folder
from litgen_runtime.jobs.rows import SqliteRows
from litgen_runtime.jobs.schema import VERSION, bring_up_to_date
from litgen_runtime.jobs.store import Rows, StoreFailed

log = logging.getLogger(__name__)

R = TypeVar("R")
_MAX_TOGETHER = 512
_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "journal_size_limit = 67108864", "temp_store = MEMORY")


class _Work(NamedTuple):
    do: Callable[[Rows], Any]
    future: Future[Any]


class SqliteStore:
    """A database file.

    Args:
        path: where it is, or is to be; its folder is made, for this user alone.

    Raises:
        StartupError: another process has it, or a later version has written it, or it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._trouble: str | None = None
        self._lock = _owned(path)
        try:
            self._connection = _opened(path)
            bring_up_to_date(self._connection, str(path))
            self._reading = _opened(path, read_only=True)
            self._files = _identities(path)
        except sqlite3.Error as error:
            os.close(self._lock)
            raise StartupError(
                f"{path} cannot be opened as a job store: {error}. Restore it; or move it away, and with it "
                f"{path}.files, which is emptied of what the store does not name."
            ) from None
        except BaseException:
            os.close(self._lock)
            raise
        self._works: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._write_on, name="job-writer", daemon=True),
            threading.Thread(target=self._read_on, name="job-reader", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def trouble(self) -> str | None:
        """Why the latest write failed; None if it did not."""
        return self._trouble

    def write(self, work: Callable[[Rows], R]) -> Future[R]:
        """Do something in a transaction; the future has its result when that is on the disk."""
        return _put(self._works, work)

    def read(self, work: Callable[[Rows], R]) -> Future[R]:
        """Look at what is there."""
        return _put(self._reads, work)

    def close(self) -> None:
        """Write what has been asked for, and let go of the file."""
        self._works.put(None)
        self._reads.put(None)
        for thread in self._threads:
            thread.join()
        for connection in (self._reading, self._connection):
            with contextlib.suppress(sqlite3.Error):
                connection.close()
        os.close(self._lock)

    def _write_on(self) -> None:
        rows, ended = SqliteRows(self._connection), False
        while not ended:
            works = [self._works.get()]
            while len(works) < _MAX_TOGETHER and not self._works.empty():
                works.append(self._works.get())
            ended = None in works
            self._commit(rows, [work for work in works if work is not None])

    def _commit(self, rows: SqliteRows, works: list[_Work]) -> None:
        try:
            self._expect_files()
            self._connection.execute("BEGIN IMMEDIATE")
            done = [self._done(rows, work) for work in works]
            if self._trouble is not None:
                self._connection.execute(f"PRAGMA user_version = {VERSION}")  # so that something is written at all
            self._connection.execute("COMMIT")
            self._trouble = None
        except sqlite3.Error as error:
            if self._trouble is None:
                log.error("the job store cannot write: %s; tried again with what comes next", error)
            self._trouble = str(error)
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            done = [(None, StoreFailed(str(error)))] * len(works)
        for work, (result, failure) in zip(works, done, strict=True):
            if failure is None:
                work.future.set_result(result)
            else:
                work.future.set_exception(failure)

    def _expect_files(self) -> None:
        """Raise an error of SQLite's where its files are gone from their place: it would go on writing into nowhere."""
        for path, known in self._files.items():
            if _identity(path) != known:
                raise sqlite3.OperationalError(
                    f"{path} is not in its place, or another file is. Put it back, or restart the service"
                )

    def _done(self, rows: SqliteRows, work: _Work) -> tuple[Any, BaseException | None]:
        """Do one work; if it raises it alone is undone. Where the database itself fails, all of them are."""
        self._connection.execute("SAVEPOINT one")
        try:
            result = work.do(rows)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - given to who asked for it
            self._connection.execute("ROLLBACK TO one")
            self._connection.execute("RELEASE one")
            return None, error
        self._connection.execute("RELEASE one")
        return result, None

    def _read_on(self) -> None:
        rows = SqliteRows(self._reading)
        while (work := self._reads.get()) is not None:
            try:
                result = work.do(rows)
            except sqlite3.Error as error:
                work.future.set_exception(StoreFailed(str(error)))
            except Exception as error:  # noqa: BLE001 - given to who asked for it
                work.future.set_exception(error)
            else:
                work.future.set_result(result)


def _put(works: queue.SimpleQueue[_Work | None], work: Callable[[Rows], R]) -> Future[R]:
    future: Future[R] = Future()
    future.set_running_or_notify_cancel()  # what has been asked for is done, whoever still waits for it
    works.put(_Work(work, future))
    return future


def _owned(path: Path) -> int:
    """Make the folder and take the lock; the descriptor is held for as long as the store is open."""
    try:
        make_folder(path.parent)
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # private before SQLite writes to it
    except OSError as error:
        raise StartupError(
            f"{path.parent} cannot hold the job store: {error.strerror}. Let the service write there, or set "
            "jobs.store."
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise StartupError(
            f"{path} belongs to another process. One service owns a job store: stop the other one, or set jobs.store."
        ) from None
    return lock


def _identities(path: Path) -> dict[Path, tuple[int, int]]:
    """Return which files are the database."""
    files = (path, Path(f"{path}-wal"))
    return {file: known for file in files if (known := _identity(file)) is not None}


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what a file is, by whatever name; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _opened(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    return connection
