"""A file that may change while the service runs, such as one of keys: read with care, and again when it has changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
_MAX_BYTES = 1_048_576


class Unreadable(Exception):
    """A file cannot be read; the message says why, and holds nothing of it."""


class WatchedFile(Generic[T]):
    """One file.

    Args:
        path: where it is.
        read: returns what it holds now.
    """

    def __init__(self, path: Path, read: Callable[[], T]) -> None:
        self._path = path
        self._read = read
        self._seen: object = None

    def changed(self) -> T | None:
        """Return what it holds now; None if nobody has touched it since the last time.

        Raises:
            SettingsError: it cannot be read or holds what makes no sense; raised once for each change.
        """
        try:
            sign: object = _sign(self._path.stat())
        except OSError as error:
            sign = error.errno
        if sign == self._seen:
            return None
        self._seen = sign  # from before it is read: what is written meanwhile is another change
        return self._read()


def text_of(path: Path) -> str:
    """Return what a regular file of at most 1 MiB holds.

    Raises:
        Unreadable: it is not there, too large, something else, or not UTF-8.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not hold us
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Unreadable("it is no regular file")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                text = file.read(_MAX_BYTES + 1)
        finally:
            os.close(descriptor)
        if len(text) > _MAX_BYTES:
            raise Unreadable(f"it is larger than {_MAX_BYTES} bytes")
        return text.decode("utf-8-sig")
    except UnicodeDecodeError:  # whose words quote what was read
        raise Unreadable("it is not UTF-8") from None
    except (OSError, ValueError) as error:
        raise Unreadable(getattr(error, "strerror", None) or "it is no path") from None


def _sign(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
