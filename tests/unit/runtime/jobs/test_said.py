from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from litgen_runtime.jobs.record import Job, Status
from litgen_runtime.jobs.said import Said
from litgen_runtime.jobs.sqlite import SqliteStore
from litgen_runtime.jobs.store import MAX_PROGRESS, Event, Payload, Rows

RUNNING = Job("job_1", "embed", "", Status.RUNNING, 1.0, 1.0, fence=2)


def progress(share: float, note: str | None = None) -> bytes:
    """Return what a worker sends."""
    return json.dumps({"progress": share, "note": note}).encode()


@pytest.mark.parametrize(
    ("stored", "is_heard"),
    [
        (RUNNING, True),
        (replace(RUNNING, fence=3), False),
        (replace(RUNNING, status=Status.QUEUED), False),
        (replace(RUNNING, status=Status.SUCCEEDED), False),
    ],
)
def test_only_the_latest_attempt_is_heard(tmp_path: Path, stored: Job, is_heard: bool) -> None:
    """What an earlier attempt says changes nothing, nor what is said of a job that does not run."""
    store = SqliteStore(tmp_path / "jobs.db")
    try:
        store.write(lambda rows: rows.insert(stored, Payload("", 0, b""), None)).result()
        said = Said(RUNNING)
        said.hear(progress(0.5, "half \ud800"))
        said.hear(json.dumps({"level": "INFO", "logger": "x", "text": "\udfff"}).encode())
        new = store.write(lambda rows: said.write(rows, stored, 9.0)).result()
        events: list[Event] = list(store.read(lambda rows: rows.events("job_1", 0, 10)).result())
        assert store.read(lambda rows: rows.get("job_1")).result() == new
        assert (new.progress, new.note) == ((0.5, "half ?") if is_heard else (None, None))
        assert [event.kind for event in events] == (["log", "progress"] if is_heard else [])
        again = Said(RUNNING)
        again.hear(progress(0.5, "half \ud800"))
        store.write(lambda rows: again.write(rows, new, 10.0)).result()
        assert len(store.read(lambda rows: rows.events("job_1", 0, 10)).result()) == len(events), "it is nothing new"
    finally:
        store.close()


def test_what_could_not_be_written_is_kept() -> None:
    """Lines in their order, and the latest share."""
    said = Said(RUNNING)
    assert said.taken() is None
    said.hear(progress(0.1))
    said.hear(b'{"text": "a"}')
    news = said.taken()
    assert news is not None
    assert said.taken() is None
    said.hear(b'{"text": "b"}')
    said.give_back(news)
    assert (said.progress, said.lines) == (0.1, [b'{"text": "a"}', b'{"text": "b"}'])
    said.hear(progress(0.2))
    said.give_back(Said(RUNNING, 0.1))
    assert said.progress == 0.2


def test_lines_are_bounded() -> None:
    """However much a worker sends of one attempt."""
    said, count = Said(RUNNING), 0
    for _ in range(1000):
        said.hear(b'{"text": "a"}')
        news = said.taken()
        count += len(news.lines) if news is not None else 0
    assert count == 201


def test_only_the_latest_progress_is_kept(tmp_path: Path) -> None:
    """What a job of many hours says takes no more than so much room; what it has become and its log lines stay."""
    store = SqliteStore(tmp_path / "jobs.db")

    def work(rows: Rows) -> None:
        stored, said = RUNNING, Said(RUNNING)
        rows.insert(stored, Payload("", 0, b""), None)
        rows.add_event(stored.id, 1.0, "running", b"{}")
        said.hear(b'{"level": "INFO", "logger": "x", "text": "first"}')
        for number in range(MAX_PROGRESS + 50):
            said.hear(progress(number / 10_000))
            stored = said.write(rows, stored, 2.0)
            said.taken()

    try:
        store.write(work).result()
        events = store.read(lambda rows: rows.events("job_1", 0, 10_000)).result()
        assert [event.number for event in events] == [1, 2, *range(53, MAX_PROGRESS + 53)]
        assert [event.kind for event in events[:3]] == ["running", "log", "progress"]
        later = store.read(lambda rows: rows.events("job_1", 20, 1)).result()
        assert [event.number for event in later] == [53], "who has seen an earlier one goes on with what is kept"
    finally:
        store.close()
