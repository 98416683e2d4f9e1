"""Which worker gets the next request: a pure core.

A worker holds what it runs and what it runs next, so that its device never waits. Everything else stays in the
endpoint's queue, where any worker can still take it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from typing import TypeVar

SHORT_S = 0.25  # runs that take no longer have jobs sent ahead, which count as begun while they wait in the worker
_AHEAD_S = 0.004
_MAX_AHEAD = 64


@dataclass(eq=False)
class Load:
    """What one worker holds, as far as its answers tell."""

    max_size: int
    waiting: int = 0  # sent, not known to run
    running: int = 0
    patient: int = 0  # sent, not known to run, and behind all others there
    running_patient: int = 0  # of those that run
    run_s: float = field(default=0.0)  # seconds that a batch takes, smoothed
    reserved: bool = False  # kept free for a request that has to run alone
    retired: bool = False  # gets no more requests
    max_bytes: float = inf  # with which it gets no more either
    held_bytes: int = 0  # of bodies

    @property
    def held(self) -> int:
        """Requests that are with the worker."""
        return self.waiting + self.running + self.patient

    @property
    def is_full(self) -> bool:
        """Whether it has all that it may hold; one request alone it may hold in any case."""
        return self.waiting + self.running >= self.credit or self.held_bytes >= self.max_bytes

    def room(self, *, ahead: bool) -> int:
        """Return how many patient requests it may get; ``ahead``: whether also such as have to wait for a short run."""
        if self.reserved or self.retired or self.held_bytes >= self.max_bytes:
            return 0
        if ahead and 0.0 < self.run_s <= SHORT_S:
            return max(0, self.credit - self.held)
        if self.running and self.running == self.running_patient:
            return 0  # they would wait for a long run; beside clients' requests they fill up the next batch
        return max(0, self.max_size - self.held)

    @property
    def credit(self) -> int:
        """How many requests the worker may hold: two batches, or more where a batch is shorter than the way there."""
        if self.run_s <= 0.0:
            return 2 * self.max_size
        batches = max(2, min(int(_AHEAD_S / self.run_s), _MAX_AHEAD))
        return max(2 * self.max_size, min(batches * self.max_size, _MAX_AHEAD))

    @property
    def rank(self) -> tuple[int, int]:
        """What comes before one more request here, the least first: batches, then how far the last one is filled."""
        return (self.running > 0) + self.waiting // self.max_size, -(self.waiting % self.max_size)

    def send(self, size: int, *, patient: bool = False) -> None:
        """One request goes to the worker, with a body of so many bytes."""
        self.held_bytes += size
        if patient:
            self.patient += 1
        else:
            self.waiting += 1

    def start(self, count: int, patient: int = 0) -> None:
        """The worker has taken a batch, with so many patient ones in it."""
        self.waiting -= count - patient
        self.patient -= patient
        self.running += count
        self.running_patient += patient

    def finish(self, size: int, run_s: float, *, started: bool, patient: bool = False) -> None:
        """One request has been answered, after ``run_s`` seconds in its batch (0: it never ran)."""
        self.held_bytes -= size
        if started:
            self.running -= 1
            self.running_patient -= patient
        elif patient:
            self.patient -= 1
        else:
            self.waiting -= 1
        if run_s > 0.0:
            self.run_s += 0.2 * (run_s - self.run_s) if self.run_s else run_s


class StreamLoad(Load):
    """A worker that runs all it holds at the same time: it gets no more than that, and the least busy comes first."""

    @property
    def credit(self) -> int:
        """As many as it advances."""
        return self.max_size

    @property
    def rank(self) -> tuple[int, int]:
        """The fewer, the better."""
        return self.held, 0


L = TypeVar("L", bound=Load)


def choose(loads: Iterable[L]) -> L | None:
    """Return who takes the next request: an idle worker first, its batch filled up before the next one's is begun."""
    best, best_rank = None, (0, 0)
    for load in loads:
        if load.reserved or load.retired or load.is_full:
            continue
        rank = load.rank
        if best is None or rank < best_rank:
            best, best_rank = load, rank
    return best
