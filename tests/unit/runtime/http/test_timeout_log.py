from __future__ import annotations

import logging

import pytest

from litgen_runtime.dispatcher.stats import Stats
from litgen_runtime.errors import DeadlineExceeded
from litgen_runtime.http.timeout_log import TimeoutLog


@pytest.fixture
def stats(monkeypatch: pytest.MonkeyPatch) -> Stats:
    """Return the counts of an endpoint, the log being heard."""
    monkeypatch.setattr(logging.getLogger("litgen_runtime"), "propagate", True)
    return Stats()


def test_once_a_minute(stats: Stats, caplog: pytest.LogCaptureFixture) -> None:
    """However many time out, a minute has one line, and the next one says how many there were."""
    log = TimeoutLog("embed", stats)
    for second in range(0, 130, 10):
        log.note(f"id-{second}", DeadlineExceeded("Too late."), 1000.0 + second)
    assert caplog.messages == [
        "embed: request id-0: timeout: Too late.",
        "embed: request id-60: timeout: Too late. 5 more since the last such line.",
        "embed: request id-120: timeout: Too late. 5 more since the last such line.",
    ]


def test_says_what_is_usual(stats: Stats, caplog: pytest.LogCaptureFixture) -> None:
    """The line says how long answers take, so that one can choose a better limit."""
    for hundredths in range(1, 101):
        stats.answered(200, hundredths / 100)
        stats.answered(504, 99.0)
    TimeoutLog("embed", stats).note("id", DeadlineExceeded("Too late."), 0.0)
    assert caplog.messages[0].endswith("The latest answers took 0.510 s (P50) and 1.000 s (P99).")
