"""What a client is told when there is no result, and what its owner could change about it."""

from __future__ import annotations

from litgen_runtime.dispatcher.ticket import Ticket
from litgen_runtime.errors import (
    DeadlineExceeded,
    Draining,
    Hopeless,
    KillsWorkers,
    Quarantined,
    QueueFull,
    RunTooLong,
    WorkerDied,
)

_OWN = "X-Request-Timeout"


def queue_full(name: str, waiting: int, waiting_bytes: int, arriving_bytes: int, retry_s: int) -> QueueFull:
    """The queue is at its bound."""
    arriving = f", and {arriving_bytes} bytes of others are still arriving" if arriving_bytes else ""
    return QueueFull(
        f"{waiting} requests ({waiting_bytes} bytes) wait for {name}{arriving}, the most it takes. "
        f"Retry in {retry_s} s.",
        {"Retry-After": str(retry_s)},
    )


def timed_out(name: str, ticket: Ticket, now: float, others: int, timeout_s: float) -> DeadlineExceeded:
    """The client's time is over: say whether the request waited or ran, and for how long.

    Args:
        name: the endpoint.
        ticket: the request.
        now: CLOCK_MONOTONIC seconds.
        others: how many requests wait beside it.
        timeout_s: the endpoint's own limit, in seconds.
    """
    is_own = ticket.deadline < ticket.arrived + timeout_s
    limit, total_s = "timeout_s", ticket.deadline - ticket.arrived
    if ticket.start_by < ticket.deadline and ticket.started is None:
        is_own, limit, total_s = False, "queue_timeout_s", ticket.start_by - ticket.arrived
    started = ticket.started
    waited_s = (now if started is None else started) - ticket.arrived
    ran_s = 0.0 if started is None else now - started
    fix = f"raise endpoints.{name}.{limit}"
    if started is not None:
        what = f"It waited {waited_s:.2f} s and ran for {ran_s:.2f} s"
    elif ticket.attempt > 1:
        what = f"It had begun when its worker died, and waited to run again {waited_s:.2f} s after it came"
    else:
        what = f"It waited {waited_s:.2f} s and never ran; {_others(others)}"
        fix += f", or give it more workers (endpoints.{name}.workers.per_device)"
    return DeadlineExceeded(
        f"{_within(name, total_s, is_own=is_own)}. {what}. {_remedy(fix, is_own=is_own)}",
        waited_s=round(waited_s, 3),
        ran_s=round(ran_s, 3),
    )


def not_arrived(name: str, timeout_s: float, size: int, *, is_own: bool) -> DeadlineExceeded:
    """The client's time is over, and its body is not there.

    Args:
        name: the endpoint.
        timeout_s: the time, in seconds.
        size: how many bytes of the body are there.
        is_own: whether the client has set the time itself.
    """
    return DeadlineExceeded(
        f"{_within(name, timeout_s, is_own=is_own)}: the body had not arrived, only {size} bytes of it. "
        f"Send faster. {_remedy(f'raise endpoints.{name}.timeout_s', is_own=is_own)}",
        {"Connection": "close"},
        waited_s=round(timeout_s, 3),
        ran_s=0.0,
    )


def hopeless(name: str, remaining_s: float, run_s: float, needed_s: float, *, is_own: bool) -> Hopeless:
    """Less time is left than a run takes, with what has to be waited for; ``is_own``: by the client's own limit."""
    return Hopeless(
        f"{remaining_s:.2f} s were left of this request's time when {name} could take it, and its answer would have "
        f"taken {needed_s:.2f} s (a run takes {run_s:.2f} s). "
        f"{_remedy(f'raise endpoints.{name}.timeout_s or add workers', is_own=is_own)}",
        remaining_s=round(remaining_s, 3),
        needed_s=round(needed_s, 3),
        median_run_s=round(run_s, 3),
    )


def ran_too_long(name: str, limit_s: float) -> RunTooLong:
    """The run was told to stop, or its worker was killed, for its length."""
    return RunTooLong(
        f"{name} ran this request for longer than its run_limit_s of {limit_s:g} s, and was stopped. "
        f"The service's owner can raise endpoints.{name}.run_limit_s."
    )


def worker_died(name: str) -> WorkerDied:
    """The worker is gone, and the request must not run twice."""
    return WorkerDied(
        f"The worker of {name} that held this request died. It may or may not have run; retry if that is safe.",
        {"Retry-After": "1"},
    )


def kills_workers(name: str, attempts: int) -> KillsWorkers:
    """The request itself is to blame."""
    return KillsWorkers(f"{attempts} workers of {name} died while they ran this request, the last of them alone.")


def quarantined(name: str, seconds: float) -> Quarantined:
    """The same body has killed workers before."""
    return Quarantined(
        f"A request with this body has killed workers of {name}. It is refused for another {seconds:.0f} s.",
        {"Retry-After": str(max(1, round(seconds)))},
    )


def drain_over() -> Draining:
    """The drain time is over."""
    detail = "The service stopped before this request was done: its drain time was over. Retry elsewhere."
    return Draining(detail, {"Connection": "close"})


def _within(name: str, total_s: float, *, is_own: bool) -> str:
    shown = f"{round(total_s, 3):.10g}" if total_s >= 0.001 else "0.001"
    return f"{name} did not answer within {shown} s" + (f", the {_OWN} of this request" if is_own else "")


def _remedy(fix: str, *, is_own: bool) -> str:
    return f"Allow more time in {_OWN}." if is_own else f"The service's owner can {fix}."


def _others(count: int) -> str:
    return "1 other waits" if count == 1 else f"{count} others wait"
