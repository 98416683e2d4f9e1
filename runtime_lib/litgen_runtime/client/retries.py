"""When a request is made again, and after how long. What may have been done already is not asked for twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeVar

from litgen_runtime.client.errors import Refused, Unreachable

_FIRST_S, _MOST_S = 0.25, 8.0
_UNCERTAIN = "worker-died"
"""The refusal of a request that may have run; every other 503 with Retry-After has not been begun."""

T = TypeVar("T")


def insisted(
    ask: Callable[[], T],
    *,
    is_repeatable: bool,
    retry_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    dice: Callable[[], float] = random.random,
) -> T:
    """Ask, and ask again for as long as that may help and is safe.

    Args:
        ask: makes the request once.
        is_repeatable: whether it may be done twice.
        retry_s: for how long it is made again, in seconds from now.
        clock: monotonic seconds.
        sleep: waits.
        dice: from 0 to 1, so that many clients do not come back at the same moment.

    Raises:
        Refused: the service has refused it, and would again, or the time is over.
        Unreachable: there is no answer.
    """
    give_up, attempt = clock() + retry_s, 0
    while True:
        try:
            return ask()
        except (Refused, Unreachable) as error:
            pause = pause_s(attempt, getattr(error, "retry_after_s", None), dice())
            if not may_repeat(error, is_repeatable=is_repeatable) or clock() + pause > give_up:
                raise
        sleep(pause)
        attempt += 1


def may_repeat(error: Refused | Unreachable, *, is_repeatable: bool) -> bool:
    """Whether a request that came to this may be made again.

    Args:
        error: what it came to.
        is_repeatable: whether it may be done twice.
    """
    if isinstance(error, Unreachable):
        return is_repeatable or not error.was_sent
    was_turned_away = error.status == 503 and error.retry_after_s is not None and error.code != _UNCERTAIN
    return error.status == 429 or was_turned_away or (is_repeatable and error.status in (502, 503))


def pause_s(attempt: int, retry_after_s: float | None, dice: float) -> float:
    """Return how long to wait before the next attempt, in seconds.

    What the service wishes, and up to a fifth more; else 0.25 s, doubled each time up to 8 s, less up to a half.

    Args:
        attempt: how many have failed before this one.
        retry_after_s: what the service says, in seconds; None if nothing.
        dice: from 0 to 1.
    """
    if retry_after_s is not None:
        return retry_after_s * (1 + dice / 5)
    return min(_FIRST_S * 2.0 ** min(attempt, 16), _MOST_S) * (1 - dice / 2)


def retry_after(text: str | None, now: float) -> float | None:
    """Return what a ``Retry-After`` header says, in seconds from now; None if it says nothing.

    Args:
        text: seconds or a date (Source: RFC 9110, 10.2.3).
        now: seconds since 1970.
    """
    if text is None:
        return None
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now)
