"""Doing jobs again, over the real store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from litgen_runtime.errors import WebhookUrlRejected
from litgen_runtime.jobs.again import again
from litgen_runtime.jobs.blobs import Blobs
from litgen_runtime.jobs.bounds import Backlogs, Bounds
from litgen_runtime.jobs.delivery import Callback
from litgen_runtime.jobs.ledger import Ledger
from litgen_runtime.jobs.machine import Rules
from litgen_runtime.jobs.sqlite import SqliteStore
from litgen_runtime.jobs.wish import Wish

CALLBACK = Callback("https://a:443/", "a:443", frozenset({"started"}), "/base")


async def refused(_: Callback, __: str) -> Callback:
    """Let nobody be called."""
    raise WebhookUrlRejected("No.")


async def allowed(callback: Callback, _: str) -> Callback:
    """Let all be called."""
    return callback


@pytest.mark.parametrize("callback", [None, CALLBACK])
def test_again_with_its_callback(tmp_path: Path, callback: Callback | None) -> None:
    """Whoever was told of the job is told of the new one, once it is known that they still may be."""

    async def main() -> None:
        rules, bounds = Rules(1, repeatable=True, keep_s=50.0, remember_s=50.0), Bounds(10, 10_000, 1e9)
        blobs, backlogs = Blobs(tmp_path / "files"), Backlogs({"embed": bounds})
        ledger = Ledger(store, blobs, {"embed": rules}, backlogs, lambda: 1000.0)
        await ledger.recover()
        job, _ = await ledger.submit(Wish("embed", "", b"{}", callback=callback))
        await ledger.cancel(job.id, "")
        if callback is not None:
            with pytest.raises(WebhookUrlRejected):
                await again(ledger, job.id, "", refused)
        new, was_there = await again(ledger, job.id, "", allowed)
        assert (new.id != job.id, was_there) == (True, False)
        assert await ledger.callback(new) == callback
        assert await again(ledger, job.id, "", refused) == (new, True)

    store = SqliteStore(tmp_path / "jobs.db")
    try:
        asyncio.run(main())
    finally:
        store.close()
