"""The ledger where something has gone wrong on the way, over the real store."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from litgen_runtime.errors import PredictFailed, RequestError, StartupError, StorageFull
from litgen_runtime.jobs.blobs import Blobs
from litgen_runtime.jobs.bounds import Backlogs, Bounds
from litgen_runtime.jobs.claims import Settlement
from litgen_runtime.jobs.ledger import Ledger
from litgen_runtime.jobs.machine import Failed, Rules, Succeeded
from litgen_runtime.jobs.record import Status
from litgen_runtime.jobs.sqlite import SqliteStore
from litgen_runtime.jobs.store import Query
from litgen_runtime.jobs.wish import Wish
from litgen_runtime.transport.bodies import ContentKey

LARGE = b"x" * 100_000


class Bench:
    """A ledger, and a clock that a test sets."""

    def __init__(self, folder: Path) -> None:
        self.now = 1000.0
        self.store = SqliteStore(folder / "jobs.db")
        self.files = folder / "jobs.files"
        self.blobs = Blobs(self.files)
        rules = {"embed": Rules(3, repeatable=True, keep_s=50.0, remember_s=500.0)}
        bounds = Backlogs({"embed": Bounds(10_000, 10**9, 1e9)})
        self.ledger = Ledger(self.store, self.blobs, rules, bounds, lambda: self.now)

    async def submit(self, count: int, body: bytes = b"{}", ttl_s: float = float("inf")) -> list[str]:
        """Hand jobs in and return their ids."""
        wish = Wish("embed", "alice", body, start_within_s=ttl_s)
        return [(await self.ledger.submit(wish))[0].id for _ in range(count)]


def bench(folder: Path, work: Callable[[Bench], Awaitable[None]]) -> None:
    """Do something with a ledger that is open."""

    async def main() -> None:
        at = Bench(folder)
        try:
            await at.ledger.recover()
            await work(at)
        finally:
            at.store.close()

    asyncio.run(main())


def test_results_that_could_not_be_written_are_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once there is room again, all of a batch's large results are written at the first try."""
    write, failures = Blobs._write, iter([False] * 5 + [True])

    def fail_once(blobs: Blobs, name: str, source: object) -> None:
        if next(failures, False):
            raise OSError(28, "No space left on device")
        write(blobs, name, source)  # type: ignore[arg-type]  # handed on

    async def work(at: Bench) -> None:
        await at.submit(8)
        claims = await at.ledger.claim("embed", 8)
        settlements = [Settlement(claim.job, Succeeded(), ("text/plain", LARGE)) for claim in claims]
        monkeypatch.setattr(Blobs, "_write", fail_once)
        with pytest.raises(StorageFull):
            await at.ledger.settle(settlements)
        assert list(at.files.iterdir()) == []
        await at.ledger.settle(settlements)
        assert len(list(at.files.iterdir())) == 8

    bench(tmp_path, work)


def test_what_has_expired_holds_up_nobody(tmp_path: Path) -> None:
    """However much before it has expired, a job that may run is claimed at once."""

    async def work(at: Bench) -> None:
        await at.submit(450, ttl_s=5.0)
        (alive,) = await at.submit(1)
        at.now += 10.0
        assert [claim.job.id for claim in await at.ledger.claim("embed", 2)] == [alive]
        assert at.ledger.backlogs["embed"].jobs == 0

    bench(tmp_path, work)


def test_a_body_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job fails for that reason, those beside it run, also while nothing can be written."""

    async def work(at: Bench) -> None:
        await at.submit(1, LARGE)
        await at.submit(1)
        for path in at.files.iterdir():
            path.unlink()
        settle = at.ledger.settle

        async def refuse(settlements: object) -> None:
            raise StorageFull("full")

        monkeypatch.setattr(at.ledger, "settle", refuse)
        unread, read = await at.ledger.claim("embed", 2)
        monkeypatch.setattr(at.ledger, "settle", settle)
        assert (isinstance(unread.body, RequestError), read.body) == (True, b"{}")

    bench(tmp_path, work)


def test_what_was_asked_is_lost(tmp_path: Path) -> None:
    """A job without a body fails, rather than stand first in turn for ever."""

    async def work(at: Bench) -> None:
        (lost, fine) = await at.submit(2)
        at.store._connection.execute("DELETE FROM payloads WHERE job = (SELECT seq FROM jobs WHERE id = ?)", (lost,))
        assert [claim.job.id for claim in await at.ledger.claim("embed", 1)] == [fine]
        assert (await at.ledger.get(lost, "alice")).status is Status.FAILED

    bench(tmp_path, work)


def test_clients_are_told_no_traceback(tmp_path: Path) -> None:
    """The event of a failure has the problem as a client may see it: what is for the log is not in it."""

    async def work(at: Bench) -> None:
        (job_id,) = await at.submit(1)
        (claim,) = await at.ledger.claim("embed", 1)
        error = PredictFailed("It raised.", {"Retry-After": "5"}, log="Traceback: secret")
        await at.ledger.settle([Settlement(claim.job, Failed(error.to_json(), again=False))])
        (*_, failed) = await at.ledger.events(job_id, 0)
        assert "secret" not in failed.data.decode()
        assert json.loads(failed.data)["error"] == {
            "type": "urn:litgen:predict-failed",
            "title": error.title,
            "status": 500,
            "detail": "It raised.",
            "code": "predict-failed",
        }

    bench(tmp_path, work)


def test_a_wish_that_is_repeated(tmp_path: Path) -> None:
    """To cancel what runs a second time tells nobody anything new."""

    async def work(at: Bench) -> None:
        (job_id,) = await at.submit(1)
        await at.ledger.claim("embed", 1)
        at.ledger.announce = lambda rows, job, now, result: pytest.fail("a webhook")
        for _ in range(3):
            at.now += 1.0
            assert (await at.ledger.cancel(job_id, "alice")).cancel_requested_at == 1001.0
        kinds = [event.kind for event in await at.ledger.events(job_id, 0)]
        assert kinds == ["running", "cancel-requested"]

    bench(tmp_path, work)


def test_a_sweep_says_whether_there_is_more(tmp_path: Path) -> None:
    """What is left for the next step is not left for the next second."""

    async def work(at: Bench) -> None:
        await at.submit(250, ttl_s=5.0)
        at.now += 10.0
        assert [await at.ledger.sweep(), await at.ledger.sweep()] == [True, False]

    bench(tmp_path, work)


def test_pages_behind_a_job_that_was_deleted(tmp_path: Path) -> None:
    """Whoever lists jobs and deletes what was listed comes to the end of all of them."""

    async def work(at: Bench) -> None:
        ids = await at.submit(5)
        for claim in await at.ledger.claim("embed", 5):
            await at.ledger.settle([Settlement(claim.job, Succeeded(), ("text/plain", b"ok"))])
        seen: list[str] = []
        while page := await at.ledger.page(Query("alice", before=seen[-1] if seen else None, limit=2)):
            seen += [job.id for job in page]
            for job in page:
                await at.ledger.delete(job.id, "alice")
        assert sorted(seen) == sorted(ids)

    bench(tmp_path, work)


@pytest.mark.parametrize(
    "where", ["", " AND status = 'failed'", " AND endpoint = 'a'", " AND status = 'failed' AND endpoint = 'a'"]
)
def test_lists_have_an_index(tmp_path: Path, where: str) -> None:
    """A page is found without a look at all the jobs that are not on it, nor at those that are gone."""
    store = SqliteStore(tmp_path / "jobs.db")
    which = f"principal = 'a' AND is_gone = 0{where}"
    query = f"EXPLAIN QUERY PLAN SELECT * FROM jobs WHERE {which} ORDER BY seq DESC LIMIT 5"
    (plan,) = [row[3] for row in store._connection.execute(query)]
    store.close()
    assert "USING INDEX jobs_listed" in plan
    assert [column for column in ("status", "endpoint") if f"{column}=?" in plan] == [
        column for column in ("status", "endpoint") if column in where
    ]


def test_forms_that_are_sent_again() -> None:
    """The boundary is another one each time and does not make another wish; another content does."""

    def sent(boundary: str, text: str) -> bytes:
        kind = f"multipart/form-data; boundary={boundary}"
        return Wish("embed", "", f"--{boundary}\r\n\r\n{text}\r\n--{boundary}--".encode(), kind).fingerprint()

    assert sent("aaaa", "x") == sent("bbbb", "x") != sent("aaaa", "y")
    assert Wish("e", "", b"1", "application/json").fingerprint() != Wish("e", "", b"1", "text/plain").fingerprint()


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    """It is said in a sentence where the service cannot keep large bodies."""
    (tmp_path / "jobs.db.files").write_text("")
    with pytest.raises(StartupError, match="large bodies"):
        Blobs(tmp_path / "jobs.db.files")


def test_a_large_body_is_hashed_off_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is small is hashed where everybody else waits; the key is what it would be."""
    where: list[bool] = []
    update = ContentKey.update

    def note(key: ContentKey, data: bytes) -> None:
        where.append(threading.current_thread() is threading.main_thread())
        update(key, data)

    monkeypatch.setattr(ContentKey, "update", note)

    async def work(at: Bench) -> None:
        for key, body in (("small", b"{}"), ("large", LARGE)):
            wish = Wish("embed", "alice", body, key=key)
            where.clear()
            job, replayed = await at.ledger.submit(wish)
            assert (set(where), replayed) == ({body == b"{}"}, False)
            assert await at.ledger.find(wish) == job

    bench(tmp_path, work)
