"""What becomes of a process that the owner's code forks and that comes back into ours.

A child of ``os.fork`` is a copy of this worker, with its line to the HTTP process: two that read and write there would
end both. So a child loses the line at its birth, and its life when the owner's code returns or raises. What ends
itself, such as a child of ``multiprocessing``, is not touched.
"""

from __future__ import annotations

import os
import socket
import traceback
from types import TracebackType

_WORKER = os.getpid()


def keep_from_children(sock: socket.socket) -> None:
    """Let no child that is forked from now on read from or write to a socket of this process."""
    os.register_at_fork(after_in_child=lambda: _put_null_at(sock.fileno()))


class OwnProcess:
    """Around the owner's code: a child that it has forked ends there as a script would, but for its buffers."""

    def __enter__(self) -> None:
        """Let the owner's code run."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """End a child."""
        if os.getpid() != _WORKER:
            _end(error)


def end_child() -> None:
    """End a child of this worker, and nobody else."""
    if os.getpid() != _WORKER:
        _end(None)


def _end(error: BaseException | None) -> None:
    if error is None:
        os._exit(0)
    if isinstance(error, SystemExit) and isinstance(error.code, int | None):
        os._exit((error.code or 0) & 0xFF)
    traceback.print_exception(error)
    os._exit(1)


def _put_null_at(descriptor: int) -> None:
    """Leave the number taken: another file of the child's must not come to stand there."""
    if descriptor >= 0:
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(null, descriptor, inheritable=False)
        os.close(null)
