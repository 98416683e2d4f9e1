from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from litgen_runtime.errors import StorageFull
from litgen_runtime.jobs import ledger as ledger_module
from litgen_runtime.jobs.blobs import Blobs
from litgen_runtime.jobs.bounds import Backlogs, Bounds
from litgen_runtime.jobs.ledger import Ledger
from litgen_runtime.jobs.machine import Rules
from litgen_runtime.jobs.record import Status
from litgen_runtime.jobs.sqlite import SqliteStore
from litgen_runtime.jobs.store import Query
from litgen_runtime.jobs.wish import Wish


def test_a_sweep_says_whether_there_may_be_more(tmp_path: Path) -> None:
    """What is deleted keeps up with what is accepted: whoever sweeps goes on until nothing is left."""
    now = 1000.0
    rules = {"embed": Rules(1, repeatable=True, keep_s=5.0, remember_s=5.0)}
    backlogs = Backlogs({"embed": Bounds(1000, 1_000_000, 1e9)})
    store = SqliteStore(tmp_path / "jobs.db")
    ledger = Ledger(store, Blobs(tmp_path / "files"), rules, backlogs, lambda: now)

    async def run() -> None:
        nonlocal now
        await ledger.recover()
        wish = Wish("embed", "alice", b"{}", "application/json", None, cancel_after_s=1.0)
        await asyncio.gather(*(ledger.submit(wish) for _ in range(250)))
        assert not await ledger.sweep()
        for passed_s in (2.0, 6.0, 6.0):  # canceled, stripped, deleted
            now += passed_s
            assert await ledger.sweep()
            assert not await ledger.sweep()
        assert not await ledger.page(Query("alice"))
        assert ledger.backlogs["embed"].jobs == 0

    asyncio.run(run())
    store.close()


def test_jobs_that_come_while_a_process_takes_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They wait for it, and are refused only where it takes too long."""
    monkeypatch.setattr(ledger_module, "_OPENING_S", 0.05)
    store = SqliteStore(tmp_path / "jobs.db")
    rules = {"embed": Rules(1, repeatable=True, keep_s=5.0, remember_s=5.0)}
    backlogs = Backlogs({"embed": Bounds(1000, 1_000_000, 1e9)})
    ledger = Ledger(store, Blobs(tmp_path / "files"), rules, backlogs, lambda: 1000.0)

    async def run() -> None:
        with pytest.raises(StorageFull):
            await ledger.submit(Wish("embed", "alice", b"{}"))
        early = asyncio.create_task(ledger.submit(Wish("embed", "alice", b"{}")))
        await asyncio.sleep(0)
        await ledger.recover()
        job, _ = await early
        assert job.status is Status.QUEUED
        assert ledger.backlogs["embed"].jobs == 1

    asyncio.run(run())
    store.close()
