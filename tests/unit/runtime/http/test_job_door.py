"""Jobs as they come in, and calls that become jobs: over the real store, with a worker that does as it is told."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.errors import Loading, StorageFull
from litgen_runtime.http.body import Chunks, JsonReader, RawReader, Reader
from litgen_runtime.http.callbacks import Callbacks
from litgen_runtime.http.job_door import JobDoor
from litgen_runtime.http.lifecycle import Lifecycle, WorkerState
from litgen_runtime.http.messages import Head, Receive, Scope, Send
from litgen_runtime.http.pieces import Gathered
from litgen_runtime.http.spool import Spool
from litgen_runtime.jobs.desk import Desk
from litgen_runtime.jobs.payloads import Payloads
from litgen_runtime.jobs.record import Job, Status
from litgen_runtime.jobs.sqlite import SqliteStore
from litgen_runtime.jobs.store import Payload, Query
from litgen_runtime.settings.load import validate
from litgen_runtime.transport.bodies import spooled_body
from litgen_runtime.transport.frames import pack_note
from tests.unit.runtime.fakes import FakeWorker, Reply, ask
from tests.unit.runtime.mini import Ask, tables

AFTER_S = 0.1
ASYNC = {"prefer": "respond-async"}


def body(text: str = "hello") -> bytes:
    """Return a request."""
    return json.dumps({"text": text}).encode()


class InFile(Reader):
    """Says of each body that it stands in a file."""

    def __init__(self, dispatcher: Dispatcher, path: Path) -> None:
        super().__init__(dispatcher, 1000, "x")
        self.path = path
        path.write_bytes(b"a body")

    def admit(self) -> None:
        """Let it come."""

    def take(self, head: Head, body: bytes) -> bytes:
        """Never asked."""
        raise NotImplementedError

    async def read(self, receive: Receive, head: Head, at_most_s: float, gathered: Gathered | None = None) -> bytes:
        """Return it."""
        return spooled_body(b"text/plain", str(self.path), 6, b"key", self.path.unlink)

    async def _collect(self, chunks: Chunks, head: Head, arrival: Any) -> bytes:
        raise NotImplementedError


class House:
    """A door with everything behind it."""

    def __init__(self, folder: Path, **endpoint: Any) -> None:
        raw = tables(**{"jobs": True, **endpoint})
        settings = validate(raw | {"jobs": {"store": f"sqlite:///{folder}/jobs.db"}}, "x")
        choices = settings.endpoints["embed"]
        self.dispatcher = Dispatcher("embed", choices, lambda *_: None)
        self.lifecycle = Lifecycle([WorkerState(0, "embed[0]", "embed", "cpu")], asyncio.get_running_loop().time)
        self.lifecycle.loading(0)
        self.lifecycle.ready(0, 1.0)
        self.desk = Desk(settings, {"embed": self.dispatcher}, {"embed": "application/json"}, self.lifecycle.count)
        self.reader: Reader = JsonReader(self.dispatcher, Ask, 1_000_000)
        self.choices = choices
        self.connections: list[SimpleNamespace] = []  # of each call

    async def call(self, text: str = "hello", **headers: str) -> Reply:
        """Ask."""
        door = JobDoor(
            self.dispatcher,
            self.reader,
            self.lifecycle,
            "application/json",
            None,
            self.choices,
            self.desk,
            Callbacks(None),
        )

        transport = SimpleNamespace(is_closing=lambda: False)
        connection = SimpleNamespace(on_lost=None, transport=transport, progressed=lambda: None)
        self.connections.append(connection)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await door({**scope, "litgen.connection": connection}, receive, send)

        return await ask(
            app, body=body(text), headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    def leave(self) -> None:
        """Let all clients go that have no answer yet."""
        for connection in self.connections:
            if connection.on_lost is not None:
                connection.on_lost()

    def calling(self, text: str = "hello", **headers: str) -> asyncio.Task[Reply]:
        """Begin to ask."""
        return asyncio.create_task(self.call(text, **headers))

    async def jobs(self) -> list[Job]:
        """Return all jobs, the latest first."""
        return list(await self.desk.ledger.page(Query("")))

    async def ended(self, job_id: str) -> Job:
        """Wait for a job's end."""
        return await self.desk.changed(await self.desk.ledger.get(job_id, ""), 10.0)


def lives(folder: Path, life: Callable[[House], Coroutine[Any, Any, None]], **endpoint: Any) -> None:
    """Open a house, let it live, and close it."""

    async def main() -> None:
        home = House(folder, **endpoint)
        home.desk.open()
        try:
            async with asyncio.timeout(20):
                await home.desk.ledger._opened.wait()
                await life(home)
                await until(lambda: home.lifecycle.in_flight == 0)  # a job is counted until its engine has been told
        finally:
            await home.desk.close()

    asyncio.run(main())


async def until(probe: Callable[[], Any]) -> Any:
    """Wait for something true, and return it."""
    while not (found := probe()):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.002)
    return found


async def begun(worker: FakeWorker) -> None:
    """Have a worker begin what it is sent next."""
    await until(worker.read)
    worker.start(1)


def test_a_call_that_is_quick(tmp_path: Path) -> None:
    """It is answered, and there is no job."""

    async def life(home: House) -> None:
        worker = FakeWorker(home.dispatcher).ready()
        calling = home.calling()
        await begun(worker)
        worker.finish()
        reply = await calling
        assert (reply.status, reply.body) == (200, body())
        assert await home.jobs() == []

    lives(tmp_path, life, sync_to_job_after_s=10.0)


def test_what_runs_goes_on_as_a_job(tmp_path: Path) -> None:
    """The client is told of the job; what the call comes to is the job's, and nothing runs twice."""

    async def life(home: House) -> None:
        worker = FakeWorker(home.dispatcher).ready()
        calling = home.calling(job_retry="none", cancel_after="60")
        await begun(worker)
        (key,) = worker.running
        worker.line.data_received(pack_note([key], b'{"level": "INFO", "logger": "a", "text": "early"}'))
        worker.line.data_received(pack_note([key], b'{"progress": 0.5, "note": "half"}'))
        reply = await calling
        told = reply.json
        assert (reply.status, reply.headers["location"]) == (202, f"/v1/jobs/{told['id']}")
        assert (told["status"], told["attempt"]) == ("running", 1)
        assert told["metrics"]["queued_s"] >= 0
        assert home.connections[0].on_lost is None
        assert home.lifecycle.in_flight == 1
        worker.finish()
        job = await home.ended(told["id"])
        assert (job.status, job.attempt, job.progress, job.note) == (Status.SUCCEEDED, 1, 0.5, "half")
        assert (job.retries, job.cancel_at) == (False, job.created_at + 60)
        assert (await home.desk.ledger.result(job))[1] == body()
        kinds = [event.kind for event in await home.desk.ledger.events(job.id, 0)]
        assert kinds == ["running", "log", "progress", "succeeded"]
        assert len(worker.received) == 1

    lives(tmp_path, life, sync_to_job_after_s=AFTER_S)


def test_what_waits_is_queued_as_a_job(tmp_path: Path) -> None:
    """What no worker has is a job that waits; each of them runs once."""

    async def life(home: House) -> None:
        worker = FakeWorker(home.dispatcher).ready()
        callings = [home.calling(f"call {number}") for number in range(4)]
        await begun(worker)
        told = [(await calling).json for calling in callings]
        assert [each["status"] for each in told] == ["running", "running", "queued", "queued"]
        assert home.dispatcher.queued == 0
        ran = []
        for _ in told:
            ran += [bytes(run.body) for run in worker.running.values()]
            worker.finish()
            if len(ran) < len(told):
                await until(lambda: worker.read() or worker.waiting)
                worker.start(1)
        assert [(await home.ended(each["id"])).attempt for each in told] == [1, 1, 1, 1]
        assert sorted(ran) == [body(f"call {number}") for number in range(4)]

    lives(tmp_path, life, sync_to_job_after_s=AFTER_S, repeatable=False)


def test_who_has_left_has_no_job(tmp_path: Path) -> None:
    """Who leaves before the time gets none, and the worker is told."""

    async def life(home: House) -> None:
        worker = FakeWorker(home.dispatcher).ready()
        calling = home.calling()
        await begun(worker)
        home.leave()
        assert (await calling).status == 0
        worker.read()
        assert worker.cancelled == worker.received
        assert await home.jobs() == []

    lives(tmp_path, life, sync_to_job_after_s=10.0)


@pytest.mark.parametrize("leaves", [False, True])
def test_a_store_that_cannot_write(tmp_path: Path, leaves: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that cannot become a job goes on as one: to its answer, its own limit, or its client's leave."""

    async def life(home: House) -> None:
        worker = FakeWorker(home.dispatcher).ready()

        async def full(*_: object) -> None:
            if leaves:
                home.leave()
            raise StorageFull("No room.")

        monkeypatch.setattr(home.desk.ledger, "submit", full)
        callings = [home.calling(f"call {number}") for number in range(3)]
        await begun(worker)
        await asyncio.sleep(2 * AFTER_S)
        worker.finish()
        statuses = [(await calling).status for calling in callings]
        assert statuses == ([0, 0, 0] if leaves else [200, 504, 504])
        assert await home.jobs() == []

    lives(tmp_path, life, sync_to_job_after_s=AFTER_S, timeout_s=4 * AFTER_S)


def test_a_drain_that_is_over_before_a_call_is_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the store refuses it then, it is answered as every call that is cut; no queue takes it back."""

    async def life(home: House) -> None:
        worker = FakeWorker(home.dispatcher).ready()
        asked: list[object] = []
        is_cut = asyncio.Event()

        async def full(*what: object) -> None:
            asked.append(what)
            await is_cut.wait()
            raise StorageFull("No room.")

        monkeypatch.setattr(home.desk.ledger, "submit", full)
        callings = [home.calling(f"call {number}") for number in range(3)]
        await begun(worker)
        await until(lambda: len(asked) == 3)
        home.dispatcher.drain.cut()
        is_cut.set()
        replies = [await calling for calling in callings]
        assert [(reply.status, reply.json["code"]) for reply in replies] == [(503, "draining")] * 3

    lives(tmp_path, life, sync_to_job_after_s=AFTER_S, timeout_s=4 * AFTER_S)


def test_a_service_that_ends_while_a_call_becomes_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for, and what was cut of its run counts as no attempt."""

    async def main() -> None:
        home = House(tmp_path, sync_to_job_after_s=AFTER_S)
        home.desk.open()
        worker = FakeWorker(home.dispatcher).ready()
        keep_body, may_keep, asked = Payloads.keep_body, asyncio.Event(), asyncio.Event()

        async def slow(*what: Any) -> Payload:
            asked.set()
            await may_keep.wait()
            return await keep_body(*what)

        monkeypatch.setattr(Payloads, "keep_body", slow)
        calling = home.calling()
        await begun(worker)
        await asked.wait()
        home.desk.stop()
        home.dispatcher.drain.cut()
        closing = asyncio.create_task(home.desk.close())
        await asyncio.sleep(0.05)
        may_keep.set()
        await closing
        assert (await calling).status == 202
        store = SqliteStore(tmp_path / "jobs.db")
        (job,) = await asyncio.wrap_future(store.read(lambda rows: rows.page(Query(""))))
        store.close()
        assert (job.status, job.attempt) == (Status.QUEUED, 0)

    asyncio.run(asyncio.wait_for(main(), 5.0))


def test_keys_of_calls(tmp_path: Path) -> None:
    """A call whose key has made a job is told of that job; two at once are one job, and one of them is stopped."""

    async def life(home: House) -> None:
        workers = [FakeWorker(home.dispatcher).ready() for _ in range(2)]
        callings = [home.calling(idempotency_key="one") for _ in workers]
        for worker in workers:
            await begun(worker)
        first, second = [(await calling) for calling in callings]
        assert first.json["id"] == second.json["id"]
        assert {first.headers.get("idempotency-replayed"), second.headers.get("idempotency-replayed")} == {None, "true"}
        for worker in workers:
            worker.read()
        assert sum(len(worker.cancelled) for worker in workers) == 1
        assert (await home.call("other", idempotency_key="one")).json["code"] == "idempotency-key-reused"
        for worker in workers:
            worker.finish()
        await home.ended(first.json["id"])
        again = await home.call(idempotency_key="one")
        assert (again.status, again.body, again.headers["idempotency-replayed"]) == (200, body(), "true")
        assert len(await home.jobs()) == 1

    lives(tmp_path, life, sync_to_job_after_s=AFTER_S)


def test_its_own_limit_comes_first(tmp_path: Path) -> None:
    """Who has said that it waits for less is answered 504, as ever."""

    async def life(home: House) -> None:
        FakeWorker(home.dispatcher).ready()
        reply = await home.call(x_request_timeout="0.05")
        assert (reply.status, reply.json["code"]) == (504, "timeout")
        assert await home.jobs() == []

    lives(tmp_path, life, sync_to_job_after_s=AFTER_S)


def test_a_body_in_a_file(tmp_path: Path) -> None:
    """It stays until what has become a job has run, and goes then."""

    async def life(home: House) -> None:
        worker = FakeWorker(home.dispatcher).ready()
        home.reader = InFile(home.dispatcher, tmp_path / "body")
        calling = home.calling()
        await begun(worker)
        told = (await calling).json
        assert (tmp_path / "body").exists()
        worker.finish()
        assert not (tmp_path / "body").exists()
        assert (await home.ended(told["id"])).status is Status.SUCCEEDED

    lives(tmp_path, life, sync_to_job_after_s=AFTER_S)


def test_a_worker_that_dies_with_a_call_that_is_a_job(tmp_path: Path) -> None:
    """What had begun is run again alone, what had not waits as a job; a cancel in between is heard."""

    async def life(home: House) -> None:
        worker = FakeWorker(home.dispatcher).ready()
        callings = [home.calling(f"call {number}") for number in range(2)]
        await begun(worker)
        told = [(await calling).json["id"] for calling in callings]
        await asyncio.sleep(0.15)  # else it may have been either that killed it
        worker.die()
        await until(lambda: home.desk.ledger.backlogs["embed"].jobs == 1)
        await home.desk.ledger.cancel(told[0], "")
        assert (await home.ended(told[0])).status is Status.CANCELED
        other = FakeWorker(home.dispatcher).ready()
        await begun(other)
        other.finish()
        job = await home.ended(told[1])
        assert (job.status, job.attempt) == (Status.SUCCEEDED, 1)

    lives(tmp_path, life, sync_to_job_after_s=AFTER_S)


def test_a_large_result_that_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read from its file as it is taken, not all of it at once."""
    large = "x" * 100_000

    async def life(home: House) -> None:
        worker = FakeWorker(home.dispatcher).ready()
        monkeypatch.setattr(home.desk.ledger, "result", None)
        calling = home.calling(large, prefer="respond-async, wait=10", idempotency_key="a")
        await begun(worker)
        worker.finish()
        reply = await calling
        assert (reply.status, reply.body) == (200, body(large))
        told = {"vary": "Prefer", "preference-applied": "respond-async", "content-type": "application/json"}
        assert told.items() <= reply.headers.items()
        again = await home.call(large, prefer="respond-async, wait=10", idempotency_key="a")
        assert (again.body, again.headers["idempotency-replayed"]) == (reply.body, "true")
        assert home.dispatcher.stats.answers == {200: 2}

    lives(tmp_path, life)


@pytest.mark.parametrize("more", [{}, {"sync_to_job_after_s": AFTER_S}])
def test_bytes_while_the_endpoint_loads(tmp_path: Path, more: dict[str, Any]) -> None:
    """A job is accepted, as one of JSON is; a call is refused before its body is taken."""

    async def life(home: House) -> None:
        def admit() -> None:
            raise Loading("embed is still loading.")

        home.reader = RawReader(home.dispatcher, 1000, Spool(str(tmp_path / "spool")), admit)
        refused = await home.call()
        assert (refused.status, refused.json["code"]) == (503, "loading")
        accepted = await home.call(**ASYNC)
        assert accepted.status == 202
        await home.desk.ledger.cancel(accepted.json["id"], "")

    lives(tmp_path, life, **more)


def test_a_key_that_is_needed(tmp_path: Path) -> None:
    """A job without one is refused; a call without one is never a job."""

    async def life(home: House) -> None:
        worker = FakeWorker(home.dispatcher).ready()
        refused = await home.call(**ASYNC)
        assert (refused.status, refused.json["code"]) == (400, "idempotency-key-required")
        job = await home.call(**ASYNC, idempotency_key="a")
        await begun(worker)
        worker.finish()
        await home.ended(job.json["id"])
        late = await home.call()
        assert (late.status, late.json["code"]) == (504, "timeout")
        assert home.dispatcher.stats.answers == {400: 1, 202: 1, 504: 1}
        assert len(await home.jobs()) == 1

    lives(tmp_path, life, sync_to_job_after_s=AFTER_S, timeout_s=2 * AFTER_S, idempotency_key="required")


def test_as_many_at_once(tmp_path: Path) -> None:
    """With workers to spare, no more jobs run than may; a call goes on all the same."""

    async def life(home: House) -> None:
        workers = [FakeWorker(home.dispatcher).ready() for _ in range(3)]
        ids = [(await home.call(f"job {number}", **ASYNC)).json["id"] for number in range(5)]

        def sent() -> list[FakeWorker]:
            for worker in workers:
                worker.read()
            return [worker for worker in workers if worker.waiting]

        def are_held(count: int) -> bool:
            return sum(worker.held for worker in sent()) == count

        for left in range(5, 0, -1):
            await until(partial(are_held, min(left, 2)))
            await asyncio.sleep(0.01)
            assert are_held(min(left, 2))
            busy = sent()
            busy[0].start(1)
            busy[0].finish()
        assert {(await home.ended(job_id)).status for job_id in ids} == {Status.SUCCEEDED}

    lives(tmp_path, life, jobs_at_once=2)


def test_as_fast_as_they_may_come(tmp_path: Path) -> None:
    """A burst is accepted, the next is told when to come; what was accepted can be asked for again, and calls go on."""

    async def life(home: House) -> None:
        worker = FakeWorker(home.dispatcher).ready()
        first = await home.call(**ASYNC, idempotency_key="a")
        second = await home.call("other", **ASYNC)
        third = await home.call(**ASYNC, idempotency_key="b")
        assert [first.status, second.status, third.status] == [202, 202, 429]
        assert (third.json["code"], int(third.headers["retry-after"])) == ("rate-limited", 30)
        again = await home.call(**ASYNC, idempotency_key="a")
        assert (again.status, again.json["id"]) == (202, first.json["id"])
        await until(worker.read)
        worker.start(1)
        worker.finish()
        await until(lambda: worker.read() or worker.waiting)
        worker.start(1)
        worker.finish()
        for each in (first, second):
            await home.ended(each.json["id"])
        calling = home.calling()
        await begun(worker)
        worker.finish()
        assert (await calling).status == 200

    lives(tmp_path, life, jobs_per_minute=2.0)


def test_jobs_of_an_endpoint_that_takes_none_any_more(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody does them, and so the log and /health say that they are there, until they have been ended."""

    async def waits(home: House) -> None:
        assert (await home.call(**ASYNC)).status == 202

    async def stays(home: House) -> None:
        assert await until(lambda: caplog.records)
        (line,) = home.desk.health()["stranded"]
        assert [record.getMessage() for record in caplog.records] == [line]
        assert line.startswith("1 job waits for the endpoint gone, which takes none")
        assert home.desk.health()["trouble"] is None
        (job,) = await home.jobs()
        await home.desk.ledger.cancel(job.id, "")
        assert home.desk.health()["stranded"] == []

    lives(tmp_path, waits)
    with sqlite3.connect(tmp_path / "jobs.db") as database:
        database.execute("UPDATE jobs SET endpoint = 'gone'")
    database.close()
    lives(tmp_path, stays)
