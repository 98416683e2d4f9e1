"""How much may wait: what a service accepts, it has to get done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from litgen_runtime.errors import QueueFull
from litgen_runtime.jobs.record import Job
from litgen_runtime.jobs.store import Backlog

_RETRY = {"Retry-After": "5"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait for an endpoint.

    Args:
        jobs: how many.
        bytes: of their bodies.
        age_s: how long the first in turn may have waited, in seconds.
    """

    jobs: int
    bytes: int
    age_s: float


class Backlogs:
    """What waits for each endpoint, counted as it comes and goes.

    Args:
        bounds: how much may.
    """

    def __init__(self, bounds: Mapping[str, Bounds]) -> None:
        self._bounds = bounds
        self._waiting = {name: Backlog(0, 0, None) for name in bounds}

    def __contains__(self, endpoint: object) -> bool:
        return endpoint in self._bounds

    def __getitem__(self, endpoint: str) -> Backlog:
        return self._waiting[endpoint]

    def found(self, backlogs: Mapping[str, Backlog]) -> None:
        """Begin with what an earlier process left."""
        self._waiting.update(backlogs)

    @property
    def stranded(self) -> dict[str, int]:
        """How many wait for endpoints that take none, by name."""
        return {name: each.jobs for name, each in self._waiting.items() if name not in self._bounds and each.jobs > 0}

    def note_oldest(self, endpoint: str, accepted_at: float | None) -> None:
        """Say when the job was accepted that is first in turn."""
        self._waiting[endpoint] = self._waiting[endpoint]._replace(oldest=accepted_at)

    def expect_room(self, endpoint: str, size: int, now: float) -> None:
        """Make sure that one more may wait.

        Raises:
            QueueFull: as much waits as may.
        """
        waiting, bounds = self._waiting[endpoint], self._bounds[endpoint]
        age_s = 0.0 if waiting.oldest is None or not waiting.jobs else now - waiting.oldest
        over = waiting.jobs > 0 and waiting.bytes + size > bounds.bytes
        if waiting.jobs >= bounds.jobs or over or age_s > bounds.age_s:
            raise QueueFull(
                f"{waiting.jobs} jobs ({waiting.bytes} bytes) wait for {endpoint}, the oldest for {age_s:.0f} s; "
                f"at most {bounds.jobs} jobs, {bounds.bytes} bytes and {bounds.age_s:g} s may. Retry later.",
                _RETRY,
            )

    def add(self, job: Job) -> None:
        """A job waits."""
        waiting = self._waiting.get(job.endpoint)
        if waiting is None:  # of an endpoint that takes no more: nothing is bounded by it
            return
        oldest = waiting.oldest if waiting.jobs and waiting.oldest is not None else job.created_at
        self._waiting[job.endpoint] = Backlog(waiting.jobs + 1, waiting.bytes + job.input_bytes, oldest)

    def remove(self, job: Job) -> None:
        """It does not any more."""
        waiting = self._waiting.get(job.endpoint)
        if waiting is None:
            return
        self._waiting[job.endpoint] = Backlog(waiting.jobs - 1, waiting.bytes - job.input_bytes, waiting.oldest)
