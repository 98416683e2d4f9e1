from __future__ import annotations

import logging
import re
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
