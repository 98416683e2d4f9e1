"""When a worker is replaced although it works: a pure core.

A replacement loads beside the worker that it is for, so at most one of an endpoint does so at a time. One that cannot
load (a GPU may not hold both) is tried again later, ever more rarely: the worker that was to go stays meanwhile.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from litgen_runtime.settings import WorkerSettings

_FIRST_DELAY_S = 10.0
_MAX_DELAY_S = 600.0
_SPREAD = 0.1  # of max_requests: workers that started together are not worn out together


@dataclass
class Wear:
    """What one process has done and holds.

    Args:
        requests: how many it may answer; None for any number.
    """

    requests: int | None = None
    answered: int = 0
    resident: int = 0  # bytes
    loaded_with: int = 0  # bytes that it held when it had just loaded


class Recycling:
    """The choices of one endpoint and the history of its replacements.

    Args:
        choices: its ``[endpoints.NAME.workers]``.
        chance: random numbers.
    """

    def __init__(self, choices: WorkerSettings, chance: random.Random | None = None) -> None:
        self._choices = choices
        self._chance = chance or random.Random()  # noqa: S311 - it only spreads work over time
        self._not_before = 0.0
        self._failures = 0

    @property
    def watches_memory(self) -> bool:
        """Whether anybody has to look at what workers hold."""
        return self._choices.max_memory is not None

    def new(self) -> Wear:
        """Return the wear of a new process, with a limit a little of its own."""
        limit = self._choices.max_requests
        return Wear(None if limit is None else max(1, round(limit * (1 - self._chance.uniform(0, _SPREAD)))))

    def cause(self, wear: Wear) -> str | None:
        """Return the key that says that this process is to be replaced.

        What holds too much memory as soon as it has loaded is not: its replacement would be no better.
        """
        if wear.requests is not None and wear.answered >= wear.requests:
            return "max_requests"
        most = self._choices.max_memory
        if most is not None and wear.resident > most and not self.is_hopeless(wear):
            return "max_memory"
        return None

    def is_hopeless(self, wear: Wear) -> bool:
        """Whether a process held more than ``max_memory`` from the start."""
        return self._choices.max_memory is not None and wear.loaded_with > self._choices.max_memory

    def may_begin(self, now: float) -> bool:
        """Whether enough time has passed since a replacement could not load."""
        return now >= self._not_before

    def succeeded(self) -> None:
        """A replacement has taken over."""
        self._failures = 0

    def failed(self, now: float) -> float:
        """Note that a replacement could not load; return the seconds until the next one is tried."""
        self._failures += 1
        delay_s = min(_FIRST_DELAY_S * 2.0 ** (min(self._failures, 32) - 1), _MAX_DELAY_S)
        self._not_before = now + delay_s
        return delay_s
