"""Large bodies on disk while they wait for a worker, written off the event loop as they arrive."""

from __future__ import annotations

import asyncio
import itertools
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from litgen_runtime.errors import CannotStore
from litgen_runtime.transport.bodies import ContentKey, SpooledBody, spooled_body

_THREADS = 4


class Spool:
    """The folder of one run of a service, and the threads that write to it.

    Args:
        folder: made here, for this user alone; the supervisor removes it.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, folder: str) -> None:
        Path(folder).mkdir(mode=0o700)
        self._folder = folder
        self._names = itertools.count(1)
        self._threads = ThreadPoolExecutor(_THREADS, "spool")

    def file(self, content_type: bytes) -> SpoolFile:
        """Return a new file for one body; nothing is written yet."""
        return SpoolFile(f"{self._folder}/{next(self._names):x}", content_type, self._threads)


class SpoolFile:
    """One body on its way to disk. Whoever makes one discards it, in the end.

    Args:
        path: a file that does not exist yet.
        content_type: the body's.
        threads: who writes.
    """

    def __init__(self, path: str, content_type: bytes, threads: ThreadPoolExecutor) -> None:
        self._path = path
        self._content_type = content_type
        self._threads = threads
        self._key = ContentKey(content_type)
        self._size = 0
        self._last: Future[None] | None = None

    async def write(self, data: bytes) -> None:
        """Append some bytes.

        Raises:
            CannotStore: the disk is full, or takes no files.
        """
        self._last = self._threads.submit(self._write, data)
        try:
            await asyncio.wrap_future(self._last)
        except OSError as error:
            raise CannotStore(
                "The service has no room to store this body. Retry later, or tell its owner.",
                {"Connection": "close", "Retry-After": "10"},
                log=f"a body cannot be written to {self._path}: {error.strerror}. Make room there, or set TMPDIR",
            ) from None

    async def finish(self, data: bytes) -> SpooledBody:
        """Append the last bytes, and return what a worker is sent.

        Raises:
            CannotStore: the disk is full, or takes no files.
        """
        await self.write(data)
        return spooled_body(self._content_type, self._path, self._size, self._key.digest(), self.discard)

    def discard(self) -> None:
        """Delete the file, once a write that is under way has ended."""
        if self._last is not None:
            last, self._last = self._last, None
            last.add_done_callback(lambda _: self._threads.submit(self._delete))

    def _write(self, data: bytes) -> None:
        """Open for each piece: no descriptor is held while the client lets us wait."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._path, flags, 0o600)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        finally:
            os.close(descriptor)
        self._key.update(data)
        self._size += len(data)

    def _delete(self) -> None:
        Path(self._path).unlink(missing_ok=True)  # the supervisor may have removed the folder
