"""Running batches: what arrives is batched, run in the main thread, and answered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from litgen_runtime.batching import Batch, Batcher
from litgen_runtime.transport.frames import DROPPED, Kind, Result, pack_batch, pack_json
from litgen_runtime.worker.inbox import Arrival, Inbox
from litgen_runtime.worker.line import Line
from litgen_runtime.worker.outbox import Answers, Outbox
from litgen_runtime.worker.reports import Reports
from litgen_runtime.worker.runner import Runner
from litgen_runtime.worker.spec import WorkerSpec

_LONG_S = (
    0.015  # a run that takes so long is answered before the next one begins: should that be the last, none is lost
)


class Batches:
    """The work of an ``Endpoint`` or a ``BatchEndpoint``.

    Args:
        spec: the sizes and windows.
        runner: the loaded model.
        outbox: where the answers go.
    """

    def __init__(self, spec: WorkerSpec, runner: Runner, outbox: Outbox) -> None:
        self._inbox = Inbox(Batcher(spec.max_size, spec.max_wait_s, spec.max_weight), runner.running.begin)
        self._runner = runner
        self._outbox = outbox
        self._reports = Reports(outbox.put_aside, lambda: outbox.flush(aside=True))
        runner.report_to(self._reports)
        self._closed = False
        self._run_s = 0.0
        self._announces = spec.announces
        self._repeatable = spec.repeatable
        self._may_be_jobs = spec.may_be_jobs

    def add(self, arrivals: Sequence[Arrival]) -> None:
        """Take decoded requests."""
        self._inbox.add(arrivals)

    def cancel(self, keys: Sequence[int]) -> None:
        """Nobody waits for these any more: they are not run, or told."""
        self._inbox.cancel(keys)
        self._runner.running.cancel(keys)

    def recall(self, keys: Sequence[int]) -> None:
        """Another worker has time for these: what has not begun goes back."""
        for key in self._inbox.take_back(keys):
            self._outbox.put_aside(Result(key, DROPPED, 0.0, b""))

    def allow(self, amounts: Sequence[tuple[int, int]]) -> None:
        """Do nothing: whole answers are always allowed."""

    def close(self) -> None:
        """Let ``run`` end after the present batch."""
        self._closed = True

    def run(self, line: Line) -> None:
        """Run batches until closed, or until nothing can run here any more; read while there is nothing to run."""
        while not self._runner.broken and not self._closed:
            if self._inbox.rest():
                line.read()
                continue
            now = time.monotonic()
            poll = self._inbox.poll(now)
            for key in poll.dropped:
                self._outbox.put_aside(Result(key, DROPPED, 0.0, b""))
            if poll.batch and not self._run(poll.batch):
                return  # what is unanswered runs again alone, as after any death
            if not poll.batch and not poll.dropped:
                line.read(None if poll.wake_at is None else max(poll.wake_at - now, 0.0))
        if self._runner.broken:
            self._outbox.put(pack_json(Kind.ENDING, b"{}"), here=True)

    def _run(self, batch: Batch[int, Any]) -> bool:
        """Run one batch and answer it; False if it is left unanswered.

        A batch of several that broke the CUDA context is left unanswered if it may run again: as after any death its
        requests run again alone, so that only the one to blame fails.
        """
        keys = batch.keys
        if self._announces:
            self._outbox.put(pack_batch(keys, batch.reason), here=True)
        if self._run_s >= _LONG_S:
            self._outbox.flush()
        jobs = len(keys) if self._may_be_jobs else batch.patient
        if jobs:
            self._reports.begin(keys, jobs)
        began = time.monotonic()
        outcomes = self._runner.predict(batch.items)
        run_s = self._run_s = time.monotonic() - began
        if jobs:
            self._reports.end()
        if self._runner.broken and self._repeatable and len(keys) > 1:
            return False
        self._outbox.put(Answers(keys, batch.items, outcomes, run_s), here=self._inbox.is_empty)
        return True
