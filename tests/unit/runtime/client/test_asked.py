"""What a client is given to send, and what it never does with it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from litgen_runtime import Client
from litgen_runtime.client import Answer, ClientError, Unreachable

NOWHERE = "http://127.0.0.1:9"


def test_a_key_that_cannot_be_sent_is_not_shown() -> None:
    """A key with a line break within would be in the words of Python's own error."""
    with pytest.raises(ClientError, match="key has other characters") as caught:
        Client(NOWHERE, key="sk-one\nsk-two")
    assert "sk-" not in str(caught.value)


def test_the_end_of_a_keys_line_is_no_part_of_it() -> None:
    """As a file of one key has it."""
    with pytest.raises(Unreachable):
        Client(NOWHERE, key="sk-one\n", retry_s=0).job("job_1")


@pytest.mark.parametrize("path", ["embed", ".example.com/embed", "@example.com/embed", "/em bed", "/emböd", ""])
def test_a_path_never_becomes_another_host(path: str) -> None:
    """The key would go there; and what can be no path is told at once, not tried for a minute."""
    with pytest.raises(ClientError, match="path is"):
        Client(NOWHERE, key="sk-one").call(path, {}, is_repeatable=True)


@pytest.mark.parametrize(
    "url", ["http://me:secret@127.0.0.1:9", "http://127.0.0.1:nine", "http://127.0.0.1:9?x=1", "http://[", "ftp://a"]
)
def test_what_is_no_address_of_a_service(url: str) -> None:
    """Said at once, without a password in it."""
    with pytest.raises(ClientError, match="url") as caught:
        Client(url)
    assert "secret" not in str(caught.value)


def test_a_header_that_cannot_be_sent_is_named() -> None:
    """As an error of the client, not of Python's HTTP."""
    with pytest.raises(ClientError, match="Idempotency-Key is"):
        Client(NOWHERE).submit("/embed", {}, key="one\ntwo")


def test_who_waits_for_a_moment_is_not_kept_for_longer() -> None:
    """Nobody is there: what the caller gave bounds the tries, too."""
    began = time.monotonic()
    with pytest.raises(Unreachable):
        Client(NOWHERE, retry_s=5).result("job_1", timeout_s=0.3)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("events", "header"), [("completed", "completed"), (["started", "completed"], "started, completed")]
)
def test_one_event_needs_no_list(events: Any, header: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A string is a sequence of its letters, too."""
    sent: list[str] = []

    def exchange(method: str, url: str, headers: dict[str, str], body: bytes | None, timeout_s: float) -> Answer:
        sent.append(headers["Webhook-Events"])
        return Answer(202, {}, b'{"id": "job_1", "status": "queued"}')

    monkeypatch.setattr("litgen_runtime.client.client.exchange", exchange)
    Client(NOWHERE).submit("/embed", {}, webhook_url="https://example.com", webhook_events=events)
    assert sent == [header]
