from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from litgen_runtime.dispatcher.ticket import Ticket
from litgen_runtime.errors import StorageFull
from litgen_runtime.jobs import engine
from litgen_runtime.jobs.blobs import Blobs
from litgen_runtime.jobs.bounds import Backlogs, Bounds
from litgen_runtime.jobs.claims import Claim, Settlement
from litgen_runtime.jobs.ledger import Ledger
from litgen_runtime.jobs.machine import Rules
from litgen_runtime.jobs.record import Job, Status
from litgen_runtime.jobs.sqlite import SqliteStore
from litgen_runtime.jobs.wish import Wish


class Idle:
    """Workers that have room, and are given nothing."""

    on_room: Callable[[], None] | None = None
    room = 4

    def run_behind(self, bodies: Sequence[bytes]) -> list[Ticket]:
        """Take nothing."""
        assert not bodies
        return []

    def stop(self, ticket: Ticket) -> None:
        """Nothing runs."""


def test_a_body_that_cannot_be_read_while_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk in trouble: the job has failed as soon as that can be written, and does not run for ever."""
    monkeypatch.setattr(engine, "_AGAIN_S", 0.01)
    rules = {"embed": Rules(3, repeatable=True, keep_s=60.0, remember_s=60.0)}
    store, files = SqliteStore(tmp_path / "jobs.db"), tmp_path / "files"
    ledger = Ledger(store, Blobs(files), rules, Backlogs({"embed": Bounds(10, 1_000_000, 1e9)}), lambda: 1000.0)
    settle, refused = ledger.settle, [True, True]
    running: list[int] = []

    async def in_trouble(settlements: Sequence[Settlement]) -> None:
        if refused:
            refused.pop()
            raise StorageFull("no room")
        await settle(settlements)

    async def run() -> Job:
        await ledger.recover()
        job, _ = await ledger.submit(Wish("embed", "alice", b"x" * 100_000))
        for file in files.iterdir():
            file.unlink()
        monkeypatch.setattr(ledger, "settle", in_trouble)
        one = engine.Engine("embed", Idle(), ledger, "application/json", repeatable=True, running=running.append)
        tasks = [asyncio.create_task(work) for work in (one.claim_on(), one.settle_on())]
        one.wake()
        async with asyncio.timeout(10):
            while not job.is_terminal:
                await asyncio.sleep(0.01)
                job = await ledger.get(job.id, "alice")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return job

    job = asyncio.run(run())
    store.close()
    assert job.status is Status.FAILED
    assert job.error is not None
    assert (job.attempt, b"storage-damaged" in job.error) == (1, True), "no other attempt finds the file"
    assert (sum(running), refused) == (0, [])


def test_a_drain_waits_for_a_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is being claimed counts as running: a process that ends meanwhile would leave it running for nobody."""
    rules = {"embed": Rules(1, repeatable=True, keep_s=60.0, remember_s=60.0)}
    store = SqliteStore(tmp_path / "jobs.db")
    backlogs = Backlogs({"embed": Bounds(10, 1_000_000, 1e9)})
    ledger = Ledger(store, Blobs(tmp_path / "files"), rules, backlogs, lambda: 1000.0)
    running: list[int] = []

    async def run() -> None:
        on_its_way, let_go = asyncio.Event(), asyncio.Event()

        async def slowly(endpoint: str, limit: int) -> Sequence[Claim]:
            on_its_way.set()
            await let_go.wait()
            return []

        await ledger.recover()
        await ledger.submit(Wish("embed", "alice", b"{}"))
        monkeypatch.setattr(ledger, "claim", slowly)
        one = engine.Engine("embed", Idle(), ledger, "application/json", repeatable=True, running=running.append)
        task = asyncio.create_task(one.claim_on())
        one.wake()
        await on_its_way.wait()
        assert sum(running) == 1
        let_go.set()
        await asyncio.sleep(0.01)
        assert sum(running) == 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    store.close()
