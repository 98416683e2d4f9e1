"""All of a service's jobs: the store, the ledger, and an engine for each endpoint, put together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping
from math import inf
from pathlib import Path
from typing import Any

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.errors import RequestError
from litgen_runtime.jobs.bells import Bells
from litgen_runtime.jobs.blobs import Blobs
from litgen_runtime.jobs.bounds import Backlogs, Bounds
from litgen_runtime.jobs.engine import Engine
from litgen_runtime.jobs.ledger import Ledger
from litgen_runtime.jobs.machine import Rules
from litgen_runtime.jobs.mailbox import Mailbox
from litgen_runtime.jobs.rates import Rate, Rates
from litgen_runtime.jobs.record import Clock, Job, Status
from litgen_runtime.jobs.sqlite import SqliteStore
from litgen_runtime.jobs.stats import JobStats
from litgen_runtime.jobs.takeover import CallUnderWay
from litgen_runtime.jobs.vital import must_not_fail
from litgen_runtime.settings import Settings

log = logging.getLogger(__name__)

_SWEEP_S = 1.0
_SWEEP_ON_S = 0.05  # while there is more: what is deleted has to keep up with what is accepted


class Desk:
    """Where jobs are handed in, asked after, and run.

    Args:
        settings: the service's choices.
        dispatchers: of the endpoints, by name.
        result_types: the media type of each endpoint's results.
        running: told 1 for each job that begins to run, and -1 when its end is on the disk.

    Raises:
        StartupError: the store cannot be opened.
    """

    def __init__(
        self,
        settings: Settings,
        dispatchers: Mapping[str, Dispatcher],
        result_types: Mapping[str, str],
        running: Callable[[int], None],
    ) -> None:
        choices = settings.jobs
        endpoints = {name: endpoint for name, endpoint in settings.endpoints.items() if endpoint.jobs}
        age_s = inf if choices.max_waiting_s is None else choices.max_waiting_s
        bounds = dict.fromkeys(endpoints, Bounds(choices.max_waiting, choices.max_waiting_bytes, age_s))
        rules = {
            name: Rules(choices.max_attempts, endpoint.repeatable, choices.keep_s, choices.remember_s)
            for name, endpoint in endpoints.items()
        }
        path = Path(choices.path)
        self.clock = Clock()
        self._store = SqliteStore(path)
        rates = {
            name: Rate(endpoint.jobs_per_minute, endpoint.burst)
            for name, endpoint in endpoints.items()
            if endpoint.jobs_per_minute is not None
        }
        blobs = Blobs(Path(f"{path}.files"))
        self.ledger = Ledger(self._store, blobs, rules, Backlogs(bounds), self.clock, Rates(rates))
        self.ledger.on_change = self._on_change
        self.mailbox = Mailbox(self._store)
        self.listener: Callable[[Job | None], None] = lambda job: None  # told which job stands elsewhere; None: any
        self.stats = JobStats()
        self.bells = Bells()
        self.ledger.on_said = self.bells.ring
        self._engines = {
            name: Engine(
                name,
                dispatchers[name],
                self.ledger,
                result_types[name],
                repeatable=endpoint.repeatable,
                running=running,
                at_once=inf if endpoint.jobs_at_once is None else endpoint.jobs_at_once,
            )
            for name, endpoint in endpoints.items()
        }
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._stopped = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def trouble(self) -> str | None:
        """Why the store cannot write; None while it can."""
        return self._store.trouble

    @property
    def endpoints(self) -> Collection[str]:
        """The names of those that take jobs."""
        return self._engines.keys()

    def oldest_s(self, endpoint: str) -> float:
        """Return for how many seconds the first in turn has waited."""
        waiting = self.ledger.backlogs[endpoint]
        return max(self.clock() - waiting.oldest, 0.0) if waiting.jobs and waiting.oldest is not None else 0.0

    def running(self, endpoint: str) -> int:
        """Return how many jobs run here."""
        return self._engines[endpoint].running

    def health(self) -> dict[str, Any]:
        """Say how the jobs fare, for an operator."""
        endpoints = {
            name: {
                "waiting": self.ledger.backlogs[name].jobs,
                "waiting_bytes": self.ledger.backlogs[name].bytes,
                "oldest_s": round(self.oldest_s(name), 1),
                "running": self.running(name),
            }
            for name in self.endpoints
        }
        return {"trouble": self.trouble, "stranded": self._stranded(), "endpoints": endpoints}

    def _stranded(self) -> list[str]:
        return [
            f"{count} job{'s wait' if count > 1 else ' waits'} for the endpoint {name}, which takes none: they are not "
            f"done. Set jobs = true for {name} again; or end them: `jobs list --endpoint {name} --status queued`, "
            "`jobs cancel`."
            for name, count in self.ledger.backlogs.stranded.items()
        ]

    def open(self) -> None:
        """Take up what an earlier process left, and begin to run."""
        for engine in self._engines.values():
            for work in (engine.claim_on, engine.settle_on, engine.note_on):
                self._begin(work())
        self._begin(self._look_after())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(must_not_fail)
        self._tasks.append(task)

    def stop(self) -> None:
        """Begin to run nothing more, and let nobody wait any longer."""
        self._stopped = True
        for engine in self._engines.values():
            engine.stop()
        self.bells.silence()
        for future in [future for futures in self._waiting.values() for future in futures]:
            if not future.done():
                future.cancel()

    async def close(self) -> None:
        """Let go of the store; everything that has ended is in it."""
        await self.ledger.submitted()  # a call that becomes a job brings its engine what has come of it
        for engine in self._engines.values():
            await engine.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._store.close)

    async def become_job(self, endpoint: str, call: CallUnderWay) -> tuple[Job, bool] | None:
        """Make a job of a call; True with one that its key has made before, None where it stays a call."""
        made = await call.become_job(self.ledger, self._engines[endpoint])
        if made is not None and not made[1]:
            self.stats.from_calls[endpoint] += 1
        return made

    async def changed(self, job: Job, seconds: float, left: asyncio.Future[None] | None = None) -> Job:
        """Return a job once it has ended, or as it is after so many seconds, or when the service shuts down.

        Args:
            job: as it was a moment ago.
            seconds: how long to wait for its end.
            left: done when nobody waits any more.
        """
        if job.is_terminal or (left is not None and left.done()):
            return job
        future = left or asyncio.get_running_loop().create_future()
        self._waiting.setdefault(job.id, []).append(future)
        try:
            newest = await self.ledger.get(job.id, job.principal)  # it may have ended before we listened
            if not newest.is_terminal and not self._stopped:
                await asyncio.wait([future], timeout=seconds)
        finally:
            futures = self._waiting[job.id]
            futures.remove(future)
            if not futures:
                del self._waiting[job.id]
        return await self.ledger.get(job.id, job.principal)

    def _on_change(self, job: Job) -> None:
        self.listener(job)
        self.stats.changed(job)
        self.bells.ring(job.id)
        engine = self._engines.get(job.endpoint)  # none where an endpoint takes no jobs any more
        if engine is not None and job.status is Status.QUEUED:
            engine.wake()
        elif engine is not None and job.status is Status.RUNNING and job.cancel_requested_at is not None:
            engine.stop_job(job)
        if job.is_terminal:
            for future in self._waiting.get(job.id, ()):
                if not future.done():
                    future.set_result(None)

    async def _look_after(self) -> None:
        """Take up what is there as soon as the store can write; then sweep now and then."""
        is_open = False
        while True:
            is_more = False
            with contextlib.suppress(RequestError):
                if is_open:
                    is_more = await self.ledger.sweep()
                else:
                    await self.ledger.recover()
                    is_open = True
                    for line in self._stranded():
                        log.warning("%s", line)
                    self.listener(None)
            for engine in self._engines.values():
                engine.wake()
            await asyncio.sleep(_SWEEP_ON_S if is_more else _SWEEP_S)
