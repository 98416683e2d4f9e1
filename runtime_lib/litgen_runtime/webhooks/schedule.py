"""What becomes of a delivery after an attempt; pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from litgen_runtime.jobs.delivery import Delivery, DeliveryStatus

JITTER = 0.2
_LEAST_S, _MOST_S = 1.0, 86_400.0
_EARLY = 0.5  # of the time to the next attempt; less than jitter leaves of it
_GONE = 410


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one.

    Args:
        status: of the answer; None if there was none.
        error: in a few words, what went wrong; None if nothing did.
        retry_after_s: how long the receiver wants to be left alone, in seconds; None if it does not say.
        blocked: it was not made, since the address is not allowed.
    """

    status: int | None = None
    error: str | None = None
    retry_after_s: float | None = None
    blocked: bool = False


def first_due(schedule_s: Sequence[float], now: float, jitter: float | None = None) -> float:
    """Return when the first attempt is due."""
    return now + _spread(schedule_s[0], jitter)


def after(
    delivery: Delivery, attempt: Attempt, schedule_s: Sequence[float], now: float, jitter: float | None = None
) -> Delivery:
    """Return a delivery as it is after an attempt.

    Once between two attempts of the schedule a receiver may be asked early, because it wishes so: in addition, so that
    one that is down and says 1 second each time is given up no sooner for it.

    Args:
        delivery: as it was before.
        attempt: what came of it.
        schedule_s: how long to wait before each attempt, in seconds.
        now: when it ended.
        jitter: -1 to 1; random unless given.
    """
    in_addition = delivery.last_at is not None and now < delivery.last_at + _EARLY * schedule_s[delivery.step]
    told = replace(
        delivery,
        attempts=delivery.attempts + 1,
        step=delivery.step + (not in_addition),
        last_at=now,
        last_status=attempt.status,
        last_error=attempt.error,
    )
    if attempt.blocked:
        return replace(told, status=DeliveryStatus.BLOCKED, ended_at=now)
    if attempt.error is None:
        return replace(told, status=DeliveryStatus.DELIVERED, ended_at=now)
    if attempt.status == _GONE or told.step >= len(schedule_s):
        return replace(told, status=DeliveryStatus.DEAD, ended_at=now)
    wait_s, asked_s = _spread(schedule_s[told.step], jitter), attempt.retry_after_s
    if asked_s is not None and (asked_s > wait_s or not in_addition):
        wait_s = min(max(asked_s, _LEAST_S), _MOST_S)
    return replace(told, due=now + wait_s)


def longest_s(schedule_s: Sequence[float]) -> float:
    """Return the longest time that anything waits for an attempt, in seconds."""
    return max(_MOST_S, *schedule_s) * (1.0 + JITTER)


def again(delivery: Delivery, now: float) -> Delivery:
    """Return a delivery that is to be sent again, now and then on schedule."""
    return replace(delivery, status=DeliveryStatus.PENDING, step=0, due=now, ended_at=None)


def retry_after_s(text: str | None) -> float | None:
    """Return what Retry-After says, in seconds from now: it is a number, or a date (RFC 9110, 10.2.3)."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:12])
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return ((date if date.tzinfo else date.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()


def _spread(seconds: float, jitter: float | None) -> float:
    if jitter is None:
        jitter = random.uniform(-1.0, 1.0)  # noqa: S311 - spreads load, guards nothing
    return seconds * (1.0 + JITTER * jitter)
