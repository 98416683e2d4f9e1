"""What tests do inside the processes of a service, which Python itself imports there as it starts.

It stands on the path of services that a test starts with ``tests.faults.inside.env`` and nowhere else: nothing of it is
a part of the runtime, and without the variables below it does nothing.
"""

from __future__ import annotations

import inspect
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

ORDERS = "LITGEN_TEST_ORDERS"  # a file: at which points to die, one a line, in this order
CLOCK = "LITGEN_TEST_CLOCK"  # a file: by how many seconds the system's clock is wrong
NAMES = "LITGEN_TEST_NAMES"  # a file: the address of every name that ends in .test
IMPORTS = "LITGEN_TEST_IMPORTS"  # a folder: each process writes there what it imports


def die_at(point: str) -> None:
    """Die here if it is this point's turn, as by ``kill -9``; whoever takes the order away has it."""
    orders = Path(os.environ[ORDERS])
    due, _, rest = orders.read_text().partition("\n")
    if due == point:
        orders.with_suffix(".died").write_text(str(os.getpid()))
        orders.write_text(rest)
        os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str, point: str, counts: Callable[..., bool] = lambda *_: True) -> None:
    """Let a function die as it is called, if its arguments count."""
    original = getattr(owner, name)

    def wrapper(*arguments: Any, **more: Any) -> Any:
        if counts(*arguments):
            die_at(point)
        return original(*arguments, **more)

    setattr(owner, name, wrapper)


def after(owner: Any, name: str, point: str, counts: Callable[..., bool] = lambda *_: True) -> None:
    """Let a function die as it returns, if its result and its arguments count."""
    original = getattr(owner, name)

    def wrapper(*arguments: Any, **more: Any) -> Any:
        result = original(*arguments, **more)
        if counts(result, *arguments):
            die_at(point)
        return result

    async def later(*arguments: Any, **more: Any) -> Any:
        result = await original(*arguments, **more)
        if counts(result, *arguments):
            die_at(point)
        return result

    setattr(owner, name, later if inspect.iscoroutinefunction(original) else wrapper)


class Halved:
    """A file that whoever reads it dies of in the middle."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._pieces = 0

    def read(self, size: int) -> bytes:
        """Return a piece, smaller than what is asked for."""
        self._pieces += 1
        if self._pieces == 2:
            die_at("spilling")
        return self._source.read(min(size, 65_536))


def in_http_process() -> None:
    """Know the points of the state machine."""
    from litgen_runtime.jobs.blobs import Blobs
    from litgen_runtime.jobs.delivery_rows import SqliteMailRows
    from litgen_runtime.jobs.engine import Engine
    from litgen_runtime.jobs.ledger import Ledger
    from litgen_runtime.jobs.mailbox import Mailbox
    from litgen_runtime.jobs.rows import SqliteRows
    from litgen_runtime.webhooks.poster import Poster

    after(SqliteRows, "insert", "accepted, before the commit")
    after(Ledger, "_submit", "accepted, before the 202")
    after(Ledger, "claim", "claimed, before it is sent", lambda claims, *_: bool(claims))
    after(Engine, "_begin", "sent, while it runs")
    before(Engine, "_ended", "run, before the end is written")
    after(SqliteRows, "put", "ended, before the commit", lambda _, rows, job, *__: bool(job.is_terminal))
    before(Poster, "attempt", "ended, before the POST")
    before(Mailbox, "record", "posted, before that is written")
    after(SqliteMailRows, "put_delivery", "posted, before the commit")
    after(SqliteRows, "strip", "swept, before the commit")
    before(Blobs, "drop", "swept, before files are deleted", lambda _, names: isinstance(names, list) and bool(names))
    after(SqliteRows, "files", "recovering, before the commit")
    before(Blobs, "drop_all_but", "recovered, before files are deleted")

    write = Blobs._write

    def halved(self: Blobs, name: str, source: BinaryIO) -> None:
        write(self, name, Halved(source))  # type: ignore[arg-type]  # it is read and nothing else

    Blobs._write = halved  # type: ignore[method-assign]  # which is what this is for
    after(Blobs, "_write", "spilled, before the commit")


def in_worker() -> None:
    """Know what may happen to a batch."""
    from litgen_runtime.worker.runner import Runner

    before(Runner, "predict", "in the batch")
    after(Runner, "predict", "after the batch")


def _wrong_clock() -> None:
    right = time.time
    wrong_by = Path(os.environ[CLOCK])
    time.time = lambda: right() + float(wrong_by.read_text())


def _own_names() -> None:
    found = socket.getaddrinfo
    address = Path(os.environ[NAMES])

    def getaddrinfo(host: Any, *arguments: Any, **more: Any) -> Any:
        is_ours = isinstance(host, str) and host.endswith(".test")
        return found(address.read_text() if is_ours else host, *arguments, **more)

    socket.getaddrinfo = getaddrinfo


def _told_imports() -> None:
    file = (Path(os.environ[IMPORTS]) / str(os.getpid())).open("a", buffering=1)
    file.write(f"{' '.join(sys.orig_argv)}\n")

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "import":
            file.write(f"{arguments[0]}\n")

    sys.addaudithook(hear)


def _wishes() -> Iterator[Callable[[], None]]:
    if IMPORTS in os.environ:
        yield _told_imports
    if CLOCK in os.environ:
        yield _wrong_clock
    if NAMES in os.environ:
        yield _own_names
    if ORDERS in os.environ and "litgen_runtime.http" in sys.orig_argv:
        yield in_http_process
    if ORDERS in os.environ and "litgen_runtime.worker" in sys.orig_argv:
        yield in_worker


for wish in _wishes():
    wish()
