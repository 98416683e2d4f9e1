from __future__ import annotations

import json
from typing import Any

import pytest

from tests.soak.answers import OK, Answer, Asked
from tests.soak.ledger import CUT, LEFT, Ledger

JSON = {"content-type": "application/json"}
PROBLEM = {"content-type": "application/problem+json"}


def ask(key: str = "a", **more: Any) -> Asked:
    """Return a request that may be answered, or be told that the queue is full."""
    return Asked(**{"key": key, "endpoint": "e", "expected": 7, "may": frozenset({OK, "queue-full"}), **more})


def told(key: str = "a", value: int = 7, *, header: str = "") -> Answer:
    """Return the result of a request."""
    body = json.dumps({"key": key, "value": value, "pid": 1}).encode()
    return Answer(200, {**JSON, "x-request-id": header or key}, body)


def refused(key: str = "a", code: str = "queue-full", status: int = 503, **more: Any) -> Answer:
    """Return a problem."""
    document = {"type": "", "title": "", "detail": "", "status": status, "code": code, "request_id": key, **more}
    return Answer(status, {**PROBLEM, "x-request-id": key}, json.dumps(document).encode())


def event(index: int, key: str = "a", pid: int = 1) -> bytes:
    """Return one item of a stream."""
    return b"data: " + json.dumps({"key": key, "index": index, "pid": pid}).encode() + b"\n\n"


def streamed(*events: bytes, kind: str = "text/event-stream") -> Answer:
    """Return a stream's answer."""
    return Answer(200, {"content-type": kind, "x-request-id": "a"}, b"".join(events))


def ledger(*asked: Asked) -> Ledger:
    """Return a ledger with these requests under way since second 1."""
    book = Ledger({"e": 1})
    for one in asked or (ask(),):
        book.opened(one, 1.0)
    return book


def test_nothing_is_wrong() -> None:
    """A result, a refusal and a client that left are all as they should be."""
    book = ledger(ask("a"), ask("b"), ask("c"))
    book.answered("a", told("a"), 2.0)
    book.answered("b", refused("b"), 2.0)
    book.left("c", 2.0)
    book.ran(["a", "c"])
    assert book.complaints() == []
    assert book.outcomes == {OK: 1, "queue-full": 1, LEFT: 1}


def test_a_lost_request() -> None:
    """What is never answered is noticed."""
    [complaint] = ledger().complaints()
    assert "lost" in complaint


@pytest.mark.parametrize("second", ["answered", "left", "cut"])
def test_a_request_that_ends_twice(second: str) -> None:
    """A second answer is noticed."""
    book = ledger()
    book.answered("a", refused(), 2.0)
    if second == "answered":
        book.answered("a", refused(), 3.0)
    else:
        getattr(book, second)("a", 3.0)
    [complaint] = book.complaints()
    assert "more than once" in complaint


@pytest.mark.parametrize(
    "answer", [told("b"), told("b", header="a"), told("a", header="b"), told(value=8), refused("b")]
)
def test_anothers_answer(answer: Answer) -> None:
    """An answer that belongs to another request is noticed, by its id or by its content."""
    book = ledger()
    book.answered("a", answer, 2.0)
    [complaint] = book.complaints()
    assert "mixed up" in complaint


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {**JSON, "x-request-id": "a"}, b'{"key": "a", "val'),
        Answer(200, JSON, b"{}"),
        Answer(503, {**JSON, "x-request-id": "a"}, b"{}"),
        refused(request_id="b"),
        refused(code="surprise"),
    ],
)
def test_an_answer_that_is_not_well_formed(answer: Answer) -> None:
    """Half a document, no id, no problem document, one that contradicts itself, an unexpected code: all are noticed."""
    book = ledger()
    book.answered("a", answer, 2.0)
    assert len(book.complaints()) == 1


def test_a_cut_needs_an_outage() -> None:
    """A connection may be cut while the HTTP process is gone, and at no other time."""
    book = ledger(ask("before"), ask("in"))
    book.cut("before", 2.0)
    book.outage(3.0, 4.0)
    book.cut("in", 3.5)
    book.opened(ask("after"), 4.5)
    book.cut("after", 5.0)
    assert [line.partition(":")[0] for line in book.complaints()] == ["before", "after"]
    assert book.outcomes == {CUT: 3}


def test_a_cut_that_the_client_asks_for() -> None:
    """A client that does not read may be cut."""
    book = ledger(ask(may_be_cut=True))
    book.cut("a", 2.0)
    assert book.complaints() == []


def test_runs() -> None:
    """One run too many, a run after a refusal, a result without a run, a run out of nowhere: all are noticed."""
    book = ledger(ask("twice"), ask("refused"), ask("never"))
    book.answered("twice", told("twice"), 2.0)
    book.answered("refused", refused("refused"), 2.0)
    book.answered("never", told("never"), 2.0)
    book.ran(["twice", "twice", "refused", "nowhere"])
    words = "\n".join(book.complaints())
    assert len(book.complaints()) == 4
    assert "twice: run 2 times" in words
    assert "refused: refused with queue-full, but run 1 times" in words
    assert "never: answered, but never run" in words
    assert "nowhere: was run although nobody" in words


def test_a_body_sent_twice() -> None:
    """The runs of a body count for all the requests that carry it."""
    book = ledger(ask("a", sendings=2), ask("b", body_key="a", may=frozenset({"queue-full"})))
    book.answered("a", told("a"), 2.0)
    book.answered("b", refused("b"), 2.0)
    book.ran(["a", "a"])
    assert book.complaints() == []


def test_streams() -> None:
    """All the items, or the first ones and an error event; comments in between."""
    error = b"event: error\ndata: " + refused().body + b"\n\n"
    for answer in (streamed(event(0), b":\n\n", event(1)), streamed(event(0), error), streamed(b":\n\n", error)):
        book = ledger(ask(items=2))
        book.answered("a", answer, 2.0)
        book.ran(["a"])
        assert [line for line in book.complaints() if "run 1 times" not in line] == []


def test_streams_of_lines() -> None:
    """The same as lines."""
    lines = event(0)[6:-1], event(1)[6:-1]
    error = b'{"error": ' + refused().body + b"}\n"
    for answer in (lines, (lines[0], error)):
        book = ledger(ask(items=2))
        book.answered("a", streamed(*answer, kind="application/x-ndjson"), 2.0)
        assert "wrong answer" not in book.outcomes


@pytest.mark.parametrize(
    "events",
    [
        (event(0),),
        (event(0), event(0)),
        (event(1), event(0)),
        (event(0), event(1, pid=2)),
        (event(0), event(1, key="b")),
        (event(0), b"event: error\ndata: " + refused("b").body + b"\n\n"),
        (event(0), b"event: error\ndata: " + refused().body + b"\n\n", event(1)),
        (event(0), b"data: {"),
    ],
)
def test_a_stream_that_is_not_right(events: tuple[bytes, ...]) -> None:
    """A clean end too early, items twice, out of turn, from two runs or of two streams: all are noticed."""
    book = ledger(ask(items=2))
    book.answered("a", streamed(*events), 2.0)
    assert book.outcomes == {"wrong answer": 1}


def test_keys_are_unique() -> None:
    """Otherwise nothing could be claimed."""
    with pytest.raises(ValueError, match="not unique"):
        ledger(ask("a"), ask("a"))
