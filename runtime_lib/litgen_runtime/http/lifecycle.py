"""Where the service stands: loading, ready, degraded, draining. What the probes say is read from here alone."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litgen_runtime.errors import Draining

log = logging.getLogger(__name__)


STATES = ("starting", "loading", "ready", "restarting")


@dataclass
class WorkerState:
    """One place for a worker, whoever fills it at the moment."""

    id: int
    label: str
    endpoint: str
    device: str
    state: str = "starting"  # one of STATES
    since: float = 0.0
    load_s: float | None = None
    restarts: int = 0
    recycles: int = 0
    last_death: str | None = None  # the cause
    last_error: str | None = None  # what ``setup`` raised last


class Lifecycle:
    """The state of the whole service.

    Args:
        workers: every worker that the choices ask for.
        clock: monotonic seconds.
        min_ready: how many workers an endpoint needs to be ready, by name; 1 where it is not named.
    """

    def __init__(
        self, workers: list[WorkerState], clock: Any = time.monotonic, min_ready: Mapping[str, int] | None = None
    ) -> None:
        self.workers = {worker.id: worker for worker in workers}
        self.site_loading = False  # the owner's ``configure`` has not run yet
        self.draining = False
        self.refusing = False
        self.in_flight = 0
        self._min_ready = min_ready or {}
        self._clock = clock
        for worker in workers:
            worker.since = clock()
        self._was_ready = False
        self._served: set[str] = set()
        self._idle: asyncio.Event | None = None  # once somebody has waited for it

    def loading(self, worker_id: int) -> None:
        """A process for this place has been started."""
        worker = self.workers[worker_id]
        worker.state, worker.since = "loading", self._clock()
        log.info("%s: loading", worker.label)

    def ready(self, worker_id: int, load_s: float) -> None:
        """The process has finished ``setup``."""
        worker = self.workers[worker_id]
        worker.state, worker.since, worker.load_s = "ready", self._clock(), load_s
        self._served.add(worker.endpoint)
        log.info("%s: loaded in %.2f s", worker.label, load_s)
        self._say_ready()

    def site_loaded(self) -> None:
        """The owner's ``configure`` has run."""
        self.site_loading = False
        self._say_ready()

    def lost(self, worker_id: int, state: str, cause: str, error: str | None = None) -> None:
        """The process is gone; another one will be started (``restarting``) or loads already (``loading``).

        Args:
            worker_id: its place.
            state: what the place does now.
            cause: of the end.
            error: what ``setup`` raised, if that was it.
        """
        worker = self.workers[worker_id]
        worker.state, worker.since, worker.restarts = (state, self._clock(), worker.restarts + 1)
        worker.last_death, worker.last_error = cause, error or worker.last_error

    def has_served(self, endpoint: str) -> bool:
        """Whether a worker of this endpoint has ever been ready: from then on requests queue for the next one."""
        return endpoint in self._served

    def missing(self, endpoint: str | None = None) -> list[str]:
        """Say what the service, or one endpoint, waits for, a line each.

        Until every worker has loaded once, that is every worker that has not; afterwards, only those of an endpoint
        with fewer ready workers than its ``min_ready``.
        """
        absent = [w for w in self.workers.values() if w.state != "ready" and endpoint in (None, w.endpoint)]
        if self._was_ready:
            ready = Counter(worker.endpoint for worker in self.workers.values() if worker.state == "ready")
            absent = [w for w in absent if ready[w.endpoint] < self._min_ready.get(w.endpoint, 1)]
        now = self._clock()
        lines = [f"{worker.label}: {worker.state} ({now - worker.since:.1f} s)" for worker in absent]
        return ["service.configure: running", *lines] if self.site_loading and endpoint is None else lines

    @property
    def status(self) -> str:
        """One word: draining, loading, unavailable, degraded or ready."""
        if self.draining:
            return "draining"
        if self.missing():
            return "unavailable" if self._was_ready else "loading"
        return "ready" if all(worker.state == "ready" for worker in self.workers.values()) else "degraded"

    def _say_ready(self) -> None:
        if not self._was_ready and not self.missing():
            self._was_ready = True
            log.info("ready: all %d workers have loaded", len(self.workers))

    def enter(self) -> None:
        """A request begins.

        Raises:
            Draining: newcomers are refused.
        """
        if self.refusing:
            raise Draining(
                "The service is shutting down and takes no new requests. Retry elsewhere, or here once it is back.",
                {"Connection": "close", "Retry-After": "5"},
            )
        self.in_flight += 1

    def leave(self) -> None:
        """A request has been answered."""
        self.in_flight -= 1
        if self._idle is not None and not self.in_flight:
            self._idle.set()

    def count(self, change: int) -> None:
        """So many jobs more, or fewer, run: they are in flight, whoever asked for them has gone."""
        self.in_flight += change
        if self._idle is not None and not self.in_flight:
            self._idle.set()

    async def idle(self, timeout_s: float) -> bool:
        """Wait until nothing is in flight; False when the time was over first."""
        if self._idle is None:
            self._idle = asyncio.Event()
        if not self.in_flight:
            return True
        self._idle.clear()
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            return False
        return True
