"""When a client asks again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from litgen_runtime.client.errors import Refused, Unreachable
from litgen_runtime.client.retries import insisted, may_repeat, pause_s, retry_after
from litgen_runtime.testing import FakeClock


def refused(status: int, code: str = "", after: float | None = None) -> Refused:
    """An answer that is an error."""
    return Refused(status, {"code": code, "detail": "why"}, after)


def scripted(*outcomes: Exception | str) -> Callable[[], str]:
    """What asks, and comes to these one after the other."""
    left = list(outcomes)

    def ask() -> str:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return ask


@pytest.mark.parametrize(
    ("error", "once", "repeatable"),
    [
        (refused(503, "queue-full", 2), True, True),
        (refused(503, "loading", 1), True, True),
        (refused(429, "too-many-requests"), True, True),
        (refused(503, "worker-died", 1), False, True),
        (refused(503, "draining"), False, True),
        (refused(502), False, True),
        (refused(504, "timeout"), False, False),
        (refused(500, "predict-failed"), False, False),
        (refused(422, "quarantined", 600), False, False),
        (refused(404, "not-found"), False, False),
        (Unreachable("refused", was_sent=False), True, True),
        (Unreachable("reset", was_sent=True), False, True),
    ],
    ids=str,
)
def test_what_may_be_asked_again(error: Refused | Unreachable, once: bool, repeatable: bool) -> None:
    """What has not been begun may be, whatever it is; what may have been done only if it may be done twice."""
    assert may_repeat(error, is_repeatable=False) == once
    assert may_repeat(error, is_repeatable=True) == repeatable


def test_it_asks_until_there_is_an_answer() -> None:
    """It waits as long as the service wishes, or longer each time, and no longer than it was given."""
    clock = FakeClock()
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(seconds)

    def insist(*outcomes: Exception | str) -> str:
        ask = scripted(*outcomes)
        return insisted(ask, is_repeatable=True, retry_s=30, clock=clock, sleep=sleep, dice=lambda: 0.0)

    lost = Unreachable("lost", was_sent=True)
    assert insist(refused(503, "queue-full", 3), lost, lost, "done") == "done"
    assert pauses == [3, 0.5, 1.0]
    with pytest.raises(Refused):
        insist(refused(503, "queue-full", 31), "never asked")
    with pytest.raises(Refused):
        insist(refused(404), "never asked")


def test_no_retries_at_all() -> None:
    """With nothing to spare the first failure is the last."""
    with pytest.raises(Unreachable):
        insisted(scripted(Unreachable("lost", was_sent=False), "never asked"), is_repeatable=True, retry_s=0)


def test_pauses() -> None:
    """Doubled up to eight seconds; never before the service wishes, and a fifth later at most."""
    assert [pause_s(attempt, None, 0.0) for attempt in (0, 1, 5, 1000)] == [0.25, 0.5, 8.0, 8.0]
    assert pause_s(1, None, 1.0) == 0.25
    assert (pause_s(3, 10.0, 0.0), pause_s(3, 10.0, 1.0)) == (10.0, 12.0)
    assert pause_s(0, 3600.0, 0.0) == 3600.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        ("9" * 400, 999_999_999.0),
        ("Sat, 21 Nov 2026 22:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 21:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("", None),
        ("٣", None),
    ],
)
def test_retry_after(text: str | None, seconds: float | None) -> None:
    """Seconds or a date; what is neither says nothing."""
    assert retry_after(text, now=1_795_298_400.0) == seconds
