"""What the owner's code says while it works on jobs: how far it is, and its log lines.

It goes out a few times a second at most, whatever the owner's code does; of how far it is, the latest counts. Before
the answers of a run go out, everything that it has said has.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence

from litgen_runtime.transport.frames import pack_note

_EVERY_S = 0.2
_MAX_LINES = 200  # of one run
_MAX_CHARS = 1000
_LEFT_OUT = f"more than {_MAX_LINES} lines: the rest are left out"


class Reports:
    """The reports of one worker's runs.

    Args:
        send: sends a frame, from any thread.
        settle: waits until everything that was sent has been written.
    """

    def __init__(self, send: Callable[[bytes], None], settle: Callable[[], None]) -> None:
        self._send = send
        self._settle = settle
        self._lock = threading.Lock()
        self._jobs: dict[int, int] = {}  # ids, by their place in the batch
        self._part = (0, 0)  # the places that ``predict`` has been given
        self._shares: dict[int, bytes] = {}  # not sent yet, by id
        self._lines: list[tuple[list[int], bytes]] = []
        self._room = 0  # for lines
        self._spoke = False
        self._due = threading.Event()
        self._thread: threading.Thread | None = None
        self._owner = os.getpid()

    def begin(self, keys: Sequence[int], jobs: int) -> None:
        """A batch of these begins, of which the last so many are jobs."""
        if self._thread is None:
            self._start()
        with self._lock:
            first = len(keys) - jobs
            self._jobs = dict(enumerate(keys[first:], start=first))
            self._part = (0, len(keys))
            self._room, self._spoke = _MAX_LINES, False

    def part(self, first: int, last: int) -> None:
        """``predict`` is given these of the batch, as it was in parts that have failed."""
        self._part = (first, last)

    def end(self) -> None:
        """The batch has ended; when this returns, all that it said has been written."""
        with self._lock:
            self._flush()
            self._jobs = {}
        if self._spoke:
            self._settle()

    def progress(self, share: float, note: str | None, index: int | None) -> None:
        """Say how far all of the jobs are, or the one in this place.

        Raises:
            ValueError: there is no such place.
        """
        if not self._jobs or os.getpid() != self._owner:  # a child that the owner's code has forked says nothing
            return
        first, last = self._part
        if index is not None and index >= last - first:
            raise ValueError(f"progress(index={index}): expected a place in the batch, 0 to {last - first - 1}.")
        note = None if note is None else note[:_MAX_CHARS]
        text = json.dumps({"progress": share, "note": note}).encode()
        with self._lock:
            for key in self._meant(index):
                self._shares[key] = text
        self._due.set()

    def log(self, level: str, name: str, text: str) -> None:
        """Take a log line."""
        if not self._jobs or os.getpid() != self._owner:
            return
        with self._lock:
            self._room -= 1
            if self._room < 0:
                return
            text = text[:_MAX_CHARS] if self._room else _LEFT_OUT
            line = {"level": level, "logger": name[:_MAX_CHARS], "text": text}
            self._lines.append((self._meant(None), json.dumps(line).encode()))
        self._due.set()

    def _meant(self, index: int | None) -> list[int]:
        first, last = self._part
        places = range(first, last) if index is None else (first + index,)
        return [self._jobs[place] for place in places if place in self._jobs]

    def _start(self) -> None:
        listen(self.log)
        self._thread = threading.Thread(target=self._send_on, name="reports", daemon=True)
        self._thread.start()

    def _send_on(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            with self._lock:
                self._flush()
            time.sleep(_EVERY_S)

    def _flush(self) -> None:
        """Send what is there; the lock is held, so that nothing is under way when a run ends."""
        shares, self._shares = self._shares, {}
        lines, self._lines = self._lines, []
        together: dict[bytes, list[int]] = {}
        for key, text in shares.items():
            together.setdefault(text, []).append(key)
        for keys, text in (*lines, *((keys, text) for text, keys in together.items())):
            self._spoke = True
            self._send(pack_note(keys, text))


class _Listener(logging.Handler):
    """Hands on what reaches the root logger."""

    def __init__(self, take: Callable[[str, str, str], None]) -> None:
        super().__init__(logging.INFO)
        self._take = take

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line; where nobody else has, Python's last resort prints it as it would without us."""
        if self._is_alone(record.name) and logging.lastResort and record.levelno >= logging.lastResort.level:
            logging.lastResort.handle(record)
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - an owner's arguments that do not fit their format, or cannot be printed
            text = f"a line that cannot be formatted: {record.msg!r:.200}"
        self._take(record.levelname, record.name, text)

    def _is_alone(self, name: str) -> bool:
        logger: logging.Logger | None = logging.getLogger(name)
        while logger is not None:
            if any(handler is not self for handler in logger.handlers):
                return False
            logger = logger.parent if logger.propagate else None
        return True


def listen(take: Callable[[str, str, str], None]) -> None:
    """Be told of log lines: level, logger, text. An owner who has set up logging has chosen its level too."""
    root = logging.getLogger()
    if not root.handlers and root.level == logging.WARNING:
        root.setLevel(logging.INFO)
    root.addHandler(_Listener(take))
