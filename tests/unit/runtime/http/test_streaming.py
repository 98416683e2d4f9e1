from __future__ import annotations

import json

import pytest

from litgen_runtime.http.streaming import EVENTS, LINES, Format, chosen

ITEMS = [b'{"a":1}', b'{"a":2}']


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, EVENTS),
        (b"*/*", EVENTS),
        (b"application/json", EVENTS),
        (b"text/event-stream", EVENTS),
        (b"application/x-ndjson", LINES),
        (b"Application/NDJSON", LINES),
        (b"application/jsonl;q=0.5", LINES),
        (b"application/x-ndjson, */*;q=0.1", LINES),
        (b"application/x-ndjson;q=0.1, */*", EVENTS),
        (b"application/x-ndjson, text/event-stream", EVENTS),
        (b"application/x-ndjson, text/event-stream;q=0.9", LINES),
        (b"application/x-ndjson;q=0", EVENTS),
        (b"application/x-ndjson;q=much", EVENTS),
        (b",;,\xff;q=\xff", EVENTS),
    ],
)
def test_chosen(accept: bytes | None, form: Format) -> None:
    """Events are what a client gets that does not clearly prefer lines."""
    assert chosen(accept) is form


def test_events() -> None:
    """Each item is an event; a failure is one with a name."""
    assert EVENTS.items(ITEMS) == b'data: {"a":1}\n\ndata: {"a":2}\n\n'
    assert EVENTS.error(b"{}") == b"event: error\ndata: {}\n\n"


def test_lines() -> None:
    """Each item is a line; a failure is a last one that holds the problem."""
    assert LINES.items(ITEMS) == b'{"a":1}\n{"a":2}\n'
    assert json.loads(LINES.error(b'{"code": "timeout"}')) == {"error": {"code": "timeout"}}
