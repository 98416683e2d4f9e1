"""What the headers of a request say about a job: ``Prefer`` (RFC 7240) and our own."""

from __future__ import annotations

import re
from math import inf
from typing import NamedTuple

from litgen_runtime.errors import InvalidHeader
from litgen_runtime.http.messages import Scope, header

_KEY = re.compile(rb"[\x21-\x7e]{1,255}")
NUMBER = re.compile(r"(0|[1-9]\d{0,300})(\.\d{1,300})?([eE][+-]?\d{1,3})?")  # as JSON writes numbers
MAX_WAIT_S = 60.0
_PARTS = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')  # of a list; commas between quotes part nothing
_EVENTS = frozenset({"started", "completed"})
_LEAST_S = 5e-324  # more than 0
_OURS = frozenset(
    {b"prefer", b"idempotency-key", b"job-ttl", b"cancel-after", b"job-retry", b"webhook-url", b"webhook-events"}
)


class Preferences(NamedTuple):
    """What a client wishes.

    Args:
        is_async: a job instead of an answer.
        wait_s: how long it waits for the answer first, in seconds.
        key: the Idempotency-Key.
        start_within_s: Job-TTL, the most time in the queue, in seconds.
        cancel_after_s: Cancel-After, in seconds.
        retries: False with Job-Retry: none.
        webhook_url: who is to be told what becomes of it.
        webhook_events: of what.
    """

    is_async: bool
    wait_s: float = 0.0
    key: str | None = None
    start_within_s: float = inf
    cancel_after_s: float = inf
    retries: bool = True
    webhook_url: str | None = None
    webhook_events: frozenset[str] = frozenset({"completed"})


def preferences_of(scope: Scope) -> Preferences:
    """Read them.

    Raises:
        InvalidHeader: one of them is not what it is to be.
    """
    prefer = _prefer(scope)
    is_async = "respond-async" in prefer
    if is_async and header(scope, b"webhook-events") is not None and header(scope, b"webhook-url") is None:
        raise InvalidHeader("There is Webhook-Events and no Webhook-Url; send the URL to be called, or neither.")
    wait = prefer.get("wait") if is_async else None
    wait_s = 0.0 if wait is None else min(_seconds("Prefer: wait", wait, least=0.0), MAX_WAIT_S)
    key = _one(scope, "Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidHeader("The Idempotency-Key is not 1 to 255 visible ASCII characters, such as a UUID.")
    retry = (_one(scope, "Job-Retry") or b"").decode("latin-1").strip().lower()
    if retry not in ("", "none"):
        raise InvalidHeader(f"Job-Retry is {retry[:40]!r}; expected none, or no such header.")
    return Preferences(
        is_async=is_async,
        wait_s=wait_s,
        key=None if key is None else key.decode("ascii"),
        start_within_s=_limit(scope, "Job-TTL"),
        cancel_after_s=_limit(scope, "Cancel-After"),
        retries=not retry,
        webhook_url=_webhook_url(scope),
        webhook_events=_webhook_events(scope),
    )


def wants_job(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a request may ask for a job, or says something about one; cheap."""
    return any(name in _OURS for name, _ in headers)


def _prefer(scope: Scope) -> dict[str, str]:
    """Return the preferences by lower-case name; of one that is given twice the first counts (RFC 7240, 2)."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name == b"prefer":
            for part in _PARTS.findall(value.decode("latin-1")):
                word, _, given = part.split(";")[0].partition("=")
                found.setdefault(word.strip().lower(), given.strip().strip('"'))
    return found


def _all(scope: Scope, name: bytes) -> list[bytes]:
    return [value for known, value in scope["headers"] if known == name]


def _one(scope: Scope, name: str) -> bytes | None:
    """Return a header that is no list: of several, two who read them would not take the same one."""
    given = _all(scope, name.lower().encode())
    if len(given) > 1:
        raise InvalidHeader(f"There are several {name} headers; expected one.")
    return given[0] if given else None


def _webhook_url(scope: Scope) -> str | None:
    given = _one(scope, "Webhook-Url")
    return None if given is None else given.decode("latin-1").strip()


def _webhook_events(scope: Scope) -> frozenset[str]:
    text = (b",".join(_all(scope, b"webhook-events")) or b"completed").decode("latin-1")
    events = frozenset(word.strip().lower() for word in text.split(","))
    if not events <= _EVENTS:
        raise InvalidHeader(f"Webhook-Events is {text[:40]!r}; expected started, completed, or both.")
    return events


def _limit(scope: Scope, name: str) -> float:
    value = _one(scope, name)
    return inf if value is None else _seconds(name, value.decode("latin-1").strip(), least=_LEAST_S)


def _seconds(name: str, text: str, least: float) -> float:
    seconds = float(text) if NUMBER.fullmatch(text) else -1.0
    if seconds < least:
        what = "seconds above 0" if least else "seconds"
        raise InvalidHeader(f"{name} is {text[:40]!r}; expected {what}, such as 10.")
    return seconds
