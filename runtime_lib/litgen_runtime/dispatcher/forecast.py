"""How long an answer will take, as the latest ones tell: a pure core.

What cannot be answered in time is not run while others wait: under overload all of the capacity would go into answers
that come too late. Now and then one runs all the same, since runs may have become faster.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from statistics import median
from typing import NamedTuple

_RECENT = 32
_ENOUGH = 8
_PROBE_S = 1.0


class Late(NamedTuple):
    """Why a request is not worth running: the usual run, and what it would take in all, in seconds."""

    run_s: float
    needed_s: float


class Forecast:
    """The latest runs of one endpoint."""

    def __init__(self) -> None:
        self._runs: deque[float] = deque(maxlen=_RECENT)
        self._lags: deque[float] = deque(maxlen=_RECENT)  # what comes on top of a run, before and after it
        self._noted = 0
        self._noted_at = -inf
        self._longest_run_s = self._longest_lag_s = 0.0

    def note(self, run_s: float, lag_s: float, now: float) -> None:
        """A request has been answered; the longest of the latest are looked for now and then only.

        Args:
            run_s: how long its run took, in seconds.
            lag_s: how much longer it took from when the worker was free for it; 0 if it came in one batch with another.
            now: in seconds.
        """
        self._noted_at = now
        self._runs.append(run_s)
        if lag_s > 0.0:
            self._lags.append(lag_s)
        self._noted += 1
        if self._noted % _RECENT == 0:
            self._longest_run_s, self._longest_lag_s = max(self._runs), max(self._lags, default=0.0)
        else:
            self._longest_run_s = max(self._longest_run_s, run_s)
            self._longest_lag_s = max(self._longest_lag_s, lag_s)

    def late(self, remaining_s: float, ahead: int, ran_for: Callable[[float], float], now: float) -> Late | None:
        """Say that a request would be answered too late; None if it may not.

        Args:
            remaining_s: until its client is gone, in seconds.
            ahead: how many runs its worker has to do first.
            ran_for: says for how long the first of them has gone on, in seconds, now; asked only where it matters.
            now: in seconds.
        """
        if len(self._runs) < _ENOUGH or now - self._noted_at > _PROBE_S:
            return None
        if remaining_s > (ahead + 1) * self._longest_run_s + self._longest_lag_s:
            return None
        run_s = median(self._runs)
        needed_s = run_s + max(ahead * run_s - ran_for(now), 0.0)
        if self._lags:  # if it is late, others are late for nothing
            needed_s += sorted(self._lags)[len(self._lags) * 9 // 10]
        return Late(run_s, needed_s) if remaining_s < needed_s else None
