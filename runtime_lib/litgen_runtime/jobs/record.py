"""What is known of one job. Times are seconds since 1970, from a clock that never jumps while the service runs."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from litgen_runtime.errors import RequestError

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Source: Crockford's base 32, in lower case
_ID_BITS = 128
_latest: dict[str, int] = {}  # the number of the id that was made last, by prefix: each is made by one thread


ID_PATTERN = "job_[0-9a-z]{26}"
"""What the id of a job looks like."""


class Status(StrEnum):
    """Where a job stands. Cancellation is a wish (``cancel_requested_at``), not a place to stand."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"


TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELED, Status.EXPIRED})


@dataclass(frozen=True, slots=True)
class Job:
    """One job, as it is stored.

    Args:
        id: unique, and in the order of acceptance.
        endpoint: who runs it.
        principal: whose it is; empty where the service asks for no keys.
        status: where it stands.
        created_at: when it was accepted.
        not_before: it is not claimed earlier: when it was accepted, or when its next attempt is due.
        input_bytes: the size of its body.
        attempt: how many attempts have begun, those that were given back left out.
        fence: how many times it has been claimed; what an earlier claim says is not heard any more.
        retries: whether another attempt may follow a failed one.
        start_by: it expires if it has not begun by then; None: never.
        cancel_at: it is cancelled by itself then; None: never.
        cancel_requested_at: when somebody wished its end.
        started_at: when the latest attempt began.
        finished_at: when it came to its end.
        keep_until: after this its payloads are deleted, and later on what is left of it.
        is_gone: its payloads have been deleted.
        error: why it has no result, as a problem document; of a job that waits again, of the latest attempt.
        progress: the share that is done, 0 to 1, as its own code says.
        note: what its own code says beside that.
    """

    id: str
    endpoint: str
    principal: str
    status: Status
    created_at: float
    not_before: float
    input_bytes: int = 0
    attempt: int = 0
    fence: int = 0
    retries: bool = True
    start_by: float | None = None
    cancel_at: float | None = None
    cancel_requested_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    keep_until: float | None = None
    error: bytes | None = None
    progress: float | None = None
    note: str | None = None
    is_gone: bool = False

    @property
    def is_terminal(self) -> bool:
        """Whether nothing will ever change about it."""
        return self.status in TERMINAL


def new_id(prefix: str = "job") -> str:
    """Return an id: 48 bits of milliseconds and 80 random ones, so that later jobs come later in an index.

    Of two that this process makes in a millisecond, the later one is greater too: lists go on behind a deleted job by
    its id. Source: the layout of ULID.
    """
    number = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10))
    if number <= (latest := _latest.get(prefix, 0)):
        number = latest + 1 + int.from_bytes(os.urandom(8))
    _latest[prefix] = number
    return f"{prefix}_" + "".join(_ALPHABET[number >> shift & 31] for shift in range(_ID_BITS - _ID_BITS % 5, -1, -5))


class Clock:
    """Seconds since 1970 that never jump: the system's time at its making, and monotonic from there."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def __call__(self) -> float:
        """Return the time."""
        return self._offset + time.monotonic()


def problem_of(error: bytes) -> dict[str, Any]:
    """Return what clients are told of an error that is stored: a problem document, without what is for the log."""
    document: dict[str, Any] = json.loads(RequestError.from_json(error).problem(""))
    del document["request_id"]
    return document
