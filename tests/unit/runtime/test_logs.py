from __future__ import annotations

import fcntl
import logging
import os
import re
import time
from collections.abc import Iterator

import pytest

from litgen_runtime import logs

NAMES = ("litgen_runtime", "uvicorn")


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    """Leave the process's loggers as they were."""
    before = [(log, log.handlers[:], log.level, log.propagate) for log in map(logging.getLogger, NAMES)]
    raises = logging.raiseExceptions
    yield
    logging.raiseExceptions = raises
    for log, handlers, level, propagate in before:
        log.handlers[:], log.propagate = handlers, propagate
        log.setLevel(level)


def test_one_line_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    """A line says when (UTC), how bad, which process and what."""
    logs.start("http")
    logging.getLogger("litgen_runtime.http.app").info("ready")
    line = capsys.readouterr().err
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO    http: ready\n", line)


def test_started_twice(capsys: pytest.CaptureFixture[str]) -> None:
    """A second start does not double the lines."""
    logs.start("http")
    logs.start("http")
    logging.getLogger("litgen_runtime").warning("once")
    assert capsys.readouterr().err.count("once") == 1


def test_owners_logging_is_left_alone() -> None:
    """The root logger stays the owner's."""
    before = logging.getLogger().handlers[:]
    logs.start("worker")
    assert logging.getLogger().handlers == before
    assert not logging.getLogger("litgen_runtime").propagate


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Return the ends of a pipe that holds 4096 bytes: where it is read, where it is written."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    yield reading, writing
    os.close(reading)  # which ends a writer that waits
    os.close(writing)


def test_a_line_is_there_when_it_has_been_logged(pipe: tuple[int, int]) -> None:
    """While somebody reads, nothing is late."""
    reading, writing = pipe
    handler = logs.PipeHandler(writing)
    for number in range(20):
        handler.handle(logging.makeLogRecord({"msg": f"line {number} \ud800"}))
        assert os.read(reading, 4096) == b"line %d \\ud800\n" % number


@pytest.mark.parametrize("blocking", [True, False])
def test_nobody_reads(pipe: tuple[int, int], blocking: bool) -> None:
    """Nobody waits for a reader that stands still, but once; when it goes on it is told what it has missed."""
    reading, writing = pipe
    os.set_blocking(writing, blocking)
    handler = logs.PipeHandler(writing)
    began = time.monotonic()
    for number in range(1500):
        handler.handle(logging.makeLogRecord({"msg": f"line {number:04}"}))
    handler.flush()
    assert time.monotonic() - began < 1
    said = b""
    while b"left out" not in said:
        said += os.read(reading, 4096)
    *lines, last = said.decode().splitlines()
    assert lines == [f"line {number:04}" for number in range(len(lines))]
    assert last == f"{1500 - len(lines)} log lines are left out: nobody read them in time"
    handler.handle(logging.makeLogRecord({"msg": "after all"}))
    assert os.read(reading, 4096) == b"after all\n"


def test_the_end_does_not_wait_long(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A process ends with lines that nobody reads."""
    monkeypatch.setattr(logs, "_LAST_PATIENCE_S", 0.2)
    handler = logs.PipeHandler(pipe[1])
    handler.handle(logging.makeLogRecord({"msg": "x" * 5000}))
    began = time.monotonic()
    handler.close()
    assert time.monotonic() - began < 1


def test_the_reader_has_gone() -> None:
    """What nobody can read any more is thrown away."""
    reading, writing = os.pipe()
    os.close(reading)
    handler = logs.PipeHandler(writing)
    for _ in range(3):
        handler.handle(logging.makeLogRecord({"msg": "lost"}))
    handler.close()
    os.close(writing)
