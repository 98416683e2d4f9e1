"""What headers say of jobs."""

from __future__ import annotations

import time

import pytest

from litgen_runtime.errors import InvalidHeader
from litgen_runtime.http.preferences import preferences_of


@pytest.mark.parametrize(
    ("value", "is_async", "wait_s"),
    [
        ("respond-async", True, 0.0),
        ("Respond-Async , wait=5", True, 5.0),
        ('respond-async, wait="5"', True, 5.0),
        ("respond-async; foo=bar, wait=5;x", True, 5.0),
        ("wait=5, wait=7, respond-async", True, 5.0),
        ("return=minimal", False, 0.0),
        ('foo="a, respond-async"', False, 0.0),
        ('foo="a\\", respond-async", wait=5', False, 0.0),
        ('foo="a, b", respond-async', True, 0.0),
        ('foo="a, respond-async, b"', False, 0.0),
        ("", False, 0.0),
    ],
)
def test_prefer(value: str, is_async: bool, wait_s: float) -> None:
    """A list, in which quoted commas part nothing (RFC 7240, 2)."""
    found = preferences_of({"headers": [(b"prefer", value.encode())]})
    assert (found.is_async, found.wait_s) == (is_async, wait_s)


def test_a_long_prefer() -> None:
    """It is read in no time, whatever it is made of."""
    began = time.perf_counter()
    for value in (b'"\\' * 30_000, b"," * 60_000, b'"",' * 20_000, b"a=" * 30_000):
        preferences_of({"headers": [(b"prefer", value)]})
    assert time.perf_counter() - began < 1.0


@pytest.mark.parametrize("seconds", ["0", "-1", "soon"])
def test_a_limit_is_above_0(seconds: str) -> None:
    """0 would be a job that never runs."""
    with pytest.raises(InvalidHeader, match=r"^Cancel-After is .*expected seconds above 0, such as 10\.$"):
        preferences_of({"headers": [(b"cancel-after", seconds.encode())]})


def test_events_for_nobody() -> None:
    """Who asks for events of a job and names no receiver has forgotten one; of a call they are ignored."""
    events = (b"webhook-events", b"started")
    with pytest.raises(InvalidHeader, match="no Webhook-Url"):
        preferences_of({"headers": [(b"prefer", b"respond-async"), events]})
    assert preferences_of({"headers": [events]}).webhook_url is None


@pytest.mark.parametrize("name", ["Idempotency-Key", "Job-TTL", "Cancel-After", "Job-Retry", "Webhook-Url"])
def test_what_is_there_once(name: str) -> None:
    """Of two, a proxy might take the other one."""
    headers = [(name.lower().encode(), value) for value in (b"1", b"2")]
    with pytest.raises(InvalidHeader, match=f"several {name} headers"):
        preferences_of({"headers": headers})


def test_a_list_in_two_headers() -> None:
    """They are one list (RFC 9110, 5.3)."""
    headers = [(b"webhook-url", b"https://x"), (b"webhook-events", b"started"), (b"webhook-events", b"completed")]
    assert preferences_of({"headers": headers}).webhook_events == {"started", "completed"}
