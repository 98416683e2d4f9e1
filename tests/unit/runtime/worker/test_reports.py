from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from litgen_runtime import BatchEndpoint
from litgen_runtime.transport.frames import FrameReader, unpack_note
from litgen_runtime.worker.reports import Reports
from litgen_runtime.worker.runner import Runner

log = logging.getLogger("owner")


class Heard:
    """What has been sent: (ids, document)."""

    def __init__(self) -> None:
        self.notes: list[tuple[list[int], Any]] = []
        self.settled = 0
        self.reports = Reports(self.take, self.settle)
        self._frames = FrameReader()

    def take(self, frame: bytes) -> None:
        for each in self._frames.feed(frame):
            keys, text = unpack_note(each)
            self.notes.append((keys, json.loads(text)))

    def settle(self) -> None:
        self.settled += 1

    @property
    def shares(self) -> dict[int, tuple[float, str | None]]:
        """The latest of each."""
        told = [(keys, said) for keys, said in self.notes if "progress" in said]
        return {key: (said["progress"], said["note"]) for keys, said in told for key in keys}

    @property
    def lines(self) -> list[str]:
        return [said["text"] for _, said in self.notes if "text" in said]


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Return reports and what becomes of them; the owner has set the level."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.setLevel(logging.INFO)
    yield Heard()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_the_last_word_is_sent_before_the_answers(heard: Heard) -> None:
    """Of very many words few are sent, and the last one is, by the end of the run."""
    heard.reports.begin([7, 8], 1)
    for number in range(10_000):
        heard.reports.progress(number / 10_000, str(number), None)
    heard.reports.end()
    assert heard.shares == {8: (0.9999, "9999")}
    assert len(heard.notes) < 10
    assert heard.settled == 1


def test_only_jobs_are_spoken_of(heard: Heard) -> None:
    """A client's request beside them is not, nor is anything outside of a run."""
    heard.reports.progress(0.1, None, None)
    heard.reports.begin([1, 2, 3], 2)
    heard.reports.progress(0.2, "first", 0)
    heard.reports.progress(0.3, "last", 2)
    heard.reports.end()
    heard.reports.progress(0.4, None, None)
    log.warning("between runs")
    heard.reports.begin([4], 1)
    heard.reports.end()
    assert heard.shares == {3: (0.3, "last")}
    assert heard.lines == []
    assert heard.settled == 1, "a run that says nothing waits for nobody"


def test_lines(heard: Heard) -> None:
    """INFO and up, cut to a length and a number, whatever their arguments are."""
    logging.getLogger().handlers[:] = [logging.NullHandler()]  # pytest's own raises on bad arguments
    heard.reports.begin([1], 1)
    log.debug("too fine")
    log.info("%d items", 3)
    log.info("%d items", "three")
    log.error("x" * 5000)
    for number in range(500):
        log.info("line %d", number)
    heard.reports.end()
    assert heard.lines[0] == "3 items"
    assert "cannot be formatted" in heard.lines[1]
    assert len(heard.lines[2]) == 1000
    assert len(heard.lines) == 200
    assert heard.lines[-1] == "more than 200 lines: the rest are left out"


def test_what_nobody_else_prints_is_printed_as_before(heard: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    """A warning still goes to standard error where the owner has set up nothing; an info does not."""
    root = logging.getLogger()
    root.handlers[:] = []
    root.setLevel(logging.WARNING)
    heard.reports.begin([1], 1)
    log.warning("mind this")
    log.info("by the way")
    heard.reports.end()
    assert heard.lines == ["mind this", "by the way"]
    assert capsys.readouterr().err == "mind this\n"


def test_parts_of_a_batch(heard: Heard) -> None:
    """A place is one of what ``predict`` was given, also when a batch that failed runs in halves."""

    class Model(BatchEndpoint[Any, Any]):
        def predict(self, batch: list[Any]) -> list[Any]:
            for index, item in enumerate(batch):
                self.progress(0.5, item, index=index)
            with pytest.raises(ValueError, match=f"0 to {len(batch) - 1}"):
                self.progress(0.5, index=len(batch))
            if "bad" in batch:
                raise ValueError
            return batch

    runner = Runner(Model)
    runner.report_to(heard.reports)
    heard.reports.begin([1, 2, 3, 4], 4)
    runner.predict(["a", "b", "bad", "d"])
    heard.reports.end()
    assert heard.shares == {1: (0.5, "a"), 2: (0.5, "b"), 3: (0.5, "bad"), 4: (0.5, "d")}


def test_from_many_threads(heard: Heard) -> None:
    """The owner's threads may speak all at once."""
    heard.reports.begin(range(8), 8)

    def speak(key: int) -> None:
        for number in range(501):
            heard.reports.progress(number / 500, None, key)

    threads = [threading.Thread(target=speak, args=(key,)) for key in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    heard.reports.end()
    assert heard.shares == dict.fromkeys(range(8), (1.0, None))
