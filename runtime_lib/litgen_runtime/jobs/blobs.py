"""Bodies that are too large for the database: files beside it, on the disk before anything names them."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from litgen_runtime.errors import StartupError
from litgen_runtime.jobs.store import Payload, PayloadLost, StoreFailed

INLINE_BYTES = 65_536
_PIECE_BYTES = 1_048_576


class Blobs:
    """A folder of files that are written once.

    Args:
        folder: where they are; made for this user alone.

    Raises:
        StartupError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            make_folder(folder)
        except OSError as error:
            raise StartupError(
                f"{folder}, for large bodies, cannot be made: {error.strerror}. Let the service write there, or "
                "set jobs.store."
            ) from None

    def keep(self, name: str, content_type: str, data: bytes) -> Payload:
        """Return a payload, having written its file if it is large.

        Raises:
            StoreFailed: there is no room for it.
        """
        if len(data) <= INLINE_BYTES:
            return Payload(content_type, len(data), data)
        return self._written(name, content_type, len(data), lambda: io.BytesIO(data))

    def keep_file(self, name: str, content_type: str, path: str, size: int) -> Payload:
        """Return the payload of a file, having copied it.

        Raises:
            StoreFailed: there is no room for it.
        """
        return self._written(name, content_type, size, lambda: Path(path).open("rb"))

    def path(self, name: str) -> str:
        """Return where a file is."""
        return str(self._folder / name)

    def data(self, payload: Payload) -> bytes:
        """Return what a payload holds.

        Raises:
            StoreFailed: its file cannot be read.
        """
        if payload.file is None:
            return payload.data or b""
        try:
            with self.opened(payload.file) as file:
                return file.read()
        except OSError as error:
            raise StoreFailed(f"{self._folder / payload.file}: {error.strerror}") from None

    def opened(self, name: str) -> BinaryIO:
        """Return a file that has been written.

        Raises:
            StoreFailed: it cannot be read.
        """
        path = self._folder / name
        try:
            return path.open("rb")
        except FileNotFoundError:
            raise PayloadLost(
                f"{path}, which the job store names, is gone: `jobs restore` a backup that has it"
            ) from None
        except OSError as error:
            raise StoreFailed(f"{path}: {error.strerror}") from None

    def drop(self, names: Iterable[str]) -> None:
        """Delete files."""
        for name in names:
            with contextlib.suppress(OSError):
                (self._folder / name).unlink()

    def drop_all_but(self, names: set[str]) -> None:
        """Delete what no job names: a file whose job was never accepted, or has been deleted since."""
        self.drop(entry.name for entry in list(self._folder.iterdir()) if entry.name not in names)

    def _written(self, name: str, content_type: str, size: int, opened: Callable[[], BinaryIO]) -> Payload:
        try:
            with opened() as source:
                self._write(name, source)
        except OSError as error:
            self.drop([name])
            raise StoreFailed(f"{self._folder / name}: {error.strerror}") from None
        return Payload(content_type, size, None, name)

    def _write(self, name: str, source: BinaryIO) -> None:
        make_folder(self._folder)  # somebody may have tidied up
        descriptor = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            shutil.copyfileobj(source, file, _PIECE_BYTES)
            file.flush()
            os.fsync(descriptor)
        sync_folder(self._folder)


def make_folder(folder: Path) -> None:
    """Make a folder for this user alone, and those above it, on the disk for good."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """See to it that what has been made, renamed or deleted in a folder is so on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
