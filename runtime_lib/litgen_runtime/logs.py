"""One line an event, on standard error, with the time in UTC."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import stat
import sys
import threading
import time
from collections import deque

_PATIENCE_S = 0.1  # for whoever reads the lines
_LAST_PATIENCE_S = 1.0
_MOST = 1000


def start(process: str) -> None:
    """Send the runtime's log lines to standard error; the owner's own logging is left alone.

    Args:
        process: what to call this process in each line, such as ``supervisor``.
    """
    logging.raiseExceptions = False  # a closed terminal must not break a drain
    handler = _handler()
    formatter = logging.Formatter(
        f"%(asctime)s.%(msecs)03dZ %(levelname)-7s {process}: %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    for name, level in (("litgen_runtime", logging.INFO), ("uvicorn", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False


class PipeHandler(logging.Handler):
    """Writes to somebody who reads, and may stop: then nobody waits for that, and what has no room is left out.

    A thread writes. While it keeps up, a line has been written when the call that logs it returns.

    Args:
        descriptor: where to write.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()  # the first one is being written
        self._left_out = 0
        self._turn = threading.Condition()
        self._is_late = False  # it does not keep up
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or have it written."""
        try:
            line = self._line(self.format(record))
            self._expect_thread()
        except Exception:  # noqa: BLE001 - as logging has it: a line that cannot be written breaks nothing
            self.handleError(record)
            return
        with self._turn:
            if len(self._lines) >= _MOST:
                self._left_out += 1
                return
            self._lines.append(line)
            self._turn.notify_all()
            if not self._is_late:
                self._is_late = not self._turn.wait_for(self._all_written, _PATIENCE_S)

    def close(self) -> None:
        """Give what is left a moment to be written."""
        with self._turn:
            self._turn.wait_for(self._all_written, _LAST_PATIENCE_S)
        super().close()

    def _all_written(self) -> bool:
        return not self._lines

    def _line(self, text: str) -> bytes:
        return f"{text}\n".encode(errors="backslashreplace")

    def _expect_thread(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._write_on, name="log-writer", daemon=True)
            thread.start()
            self._thread = thread

    def _write_on(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: bool(self._lines))
                line = self._lines[0]
            self._write(line)
            with self._turn:
                self._lines.popleft()
                if not self._lines and self._left_out:
                    self._lines.append(self._line(f"{self._left_out} log lines are left out: nobody read them in time"))
                    self._left_out = 0
                elif not self._lines:
                    self._is_late = False
                    self._turn.notify_all()

    def _write(self, line: bytes) -> None:
        with contextlib.suppress(OSError):  # nobody will ever read it
            while line:
                try:
                    line = line[os.write(self._descriptor, line) :]
                except BlockingIOError:  # whoever shares it with us wants that
                    select.select([], [self._descriptor], [])


def _handler() -> logging.Handler:
    """Return what writes to standard error, which may be a file, or something at whose other end somebody reads."""
    try:
        descriptor = sys.stderr.fileno()
        mode = os.fstat(descriptor).st_mode
    except (AttributeError, OSError, ValueError):  # there is none
        return logging.StreamHandler(sys.stderr)
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor):
        return PipeHandler(descriptor)
    return logging.StreamHandler(sys.stderr)
