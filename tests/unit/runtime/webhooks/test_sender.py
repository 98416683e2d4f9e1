"""Sending, over the real store, with a poster that does as it is told."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from litgen_runtime.errors import NotFound, StorageFull
from litgen_runtime.jobs.delivery import Callback, Delivery, DeliveryStatus, Line, Posting
from litgen_runtime.jobs.delivery_rows import SqliteMailRows
from litgen_runtime.jobs.mailbox import Mailbox
from litgen_runtime.jobs.record import Job, Status
from litgen_runtime.jobs.sqlite import SqliteStore
from litgen_runtime.jobs.store import Payload, Rows
from litgen_runtime.webhooks.schedule import Attempt, again
from litgen_runtime.webhooks.sender import Sender

NOW = 1000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A store."""
    store = SqliteStore(tmp_path / "jobs.db")
    yield store
    store.close()


def fill(store: SqliteStore, *places: str, due: float = NOW, job_id: str = "job_x", whose: str = "alice") -> None:
    """Add a job, ``job_x`` unless given, with a delivery to each place."""

    def work(rows: Rows) -> None:
        if rows.get(job_id) is None:
            job = Job(job_id, "embed", whose, Status.SUCCEEDED, NOW, NOW)
            rows.insert(job, Payload("", 0, b""), None, Callback("https://a/", "a:443", frozenset({"completed"}), ""))
        for number, place in enumerate(places, start=len(rows.deliveries(job_id))):
            name = f"msg_{job_id.removeprefix('job_x')}{number}"
            delivery = Delivery(
                name, job_id, "job.succeeded", f"https://{place}/", place, DeliveryStatus.PENDING, NOW, due
            )
            rows.add_delivery(delivery, b"{}")

    store.write(work).result()


class Poster:
    """Answers when it is let, and counts how many it is asked at once."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.at_once: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.held: dict[str, asyncio.Event] = {}

    async def attempt(self, posting: Posting) -> Attempt:
        """Make one."""
        place = posting.delivery.place
        self.sent.append(posting.delivery.id)
        self.at_once[place] += 1
        self.most[place] = max(self.most[place], self.at_once[place])
        if place in self.held:
            await self.held[place].wait()
        await asyncio.sleep(0)
        self.at_once[place] -= 1
        if place == "broken":
            raise RuntimeError("broken")
        return Attempt(204)


async def all_of(mailbox: Mailbox, status: DeliveryStatus, count: int) -> None:
    """Wait until so many stand there."""
    async with asyncio.timeout(10):
        while sum(each.status is status for each in await mailbox.of("job_x", "alice")) < count:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)


def test_one_receiver_holds_up_no_other(store: SqliteStore) -> None:
    """A hundred that hang take four places; the others' go out; and then the rest does, each once."""
    fill(store, *["slow"] * 100, "a", "b", "a")
    poster, mailbox = Poster(), Mailbox(store)

    async def run() -> None:
        poster.held["slow"] = asyncio.Event()
        sender = Sender(mailbox, poster, [0.0], lambda: NOW)
        sender.open()
        await all_of(mailbox, DeliveryStatus.DELIVERED, 3)
        assert poster.at_once["slow"] == 4
        poster.held["slow"].set()
        await all_of(mailbox, DeliveryStatus.DELIVERED, 103)
        await sender.close()
        assert sender.outcomes == {"delivered": 103}

    asyncio.run(run())
    assert poster.most["slow"] == 4
    assert len(poster.sent) == len(set(poster.sent)) == 103


def test_one_client_holds_up_no_other(store: SqliteStore) -> None:
    """Who has a thousand receivers that hang has half of all places; another one's go out, to the same ones too."""
    hosts = [f"h{number}" for number in range(300)]
    fill(store, *hosts, *hosts, due=NOW - 10.0, job_id="job_y", whose="mallory")
    fill(store, "a", "b", "h0")
    poster, mailbox = Poster(), Mailbox(store)

    async def run() -> None:
        poster.held = {host: asyncio.Event() for host in hosts}
        sender = Sender(mailbox, poster, [0.0], lambda: NOW)
        sender.open()
        await all_of(mailbox, DeliveryStatus.DELIVERED, 2)
        assert sum(poster.at_once[host] for host in hosts) <= 128 + 1
        for event in poster.held.values():
            event.set()
        await all_of(mailbox, DeliveryStatus.DELIVERED, 3)
        await sender.close()

    asyncio.run(run())


def test_what_cannot_be_written_is_not_sent_again(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the disk is full the outcome is kept and written later."""
    monkeypatch.setattr("litgen_runtime.webhooks.sender._AGAIN_S", 0.01)
    fill(store, "a")
    poster, mailbox = Poster(), Mailbox(store)
    failures = iter([True, True, True])

    async def record(delivery: Delivery, sent: Delivery) -> None:
        if next(failures, False):
            raise StorageFull("full")
        await Mailbox.record(mailbox, delivery, sent)

    async def run() -> None:
        sender = Sender(mailbox, poster, [0.0], lambda: NOW)
        monkeypatch.setattr(mailbox, "record", record)
        sender.open()
        for _ in range(10):
            sender.wake()
            await asyncio.sleep(0.001)
        await all_of(mailbox, DeliveryStatus.DELIVERED, 1)
        await sender.close()

    asyncio.run(run())
    assert poster.sent == ["msg_0"]


def test_a_fault_of_ours_counts_as_a_failure(store: SqliteStore) -> None:
    """Whatever an attempt raises, it is noted, and the others go on."""
    fill(store, "broken", "a")
    mailbox = Mailbox(store)

    async def run() -> None:
        sender = Sender(mailbox, Poster(), [0.0], lambda: NOW)
        sender.open()
        await all_of(mailbox, DeliveryStatus.DELIVERED, 1)
        await all_of(mailbox, DeliveryStatus.DEAD, 1)
        await sender.close()

    asyncio.run(run())


def test_an_end_while_something_is_sent(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has not been answered by then is still pending."""
    monkeypatch.setattr("litgen_runtime.webhooks.sender._GRACE_S", 0.05)
    fill(store, "slow")
    poster, mailbox = Poster(), Mailbox(store)

    async def run() -> None:
        poster.held["slow"] = asyncio.Event()
        sender = Sender(mailbox, poster, [0.0], lambda: NOW)
        sender.open()
        async with asyncio.timeout(5):
            while not poster.sent:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.005)
        await sender.close()
        await all_of(mailbox, DeliveryStatus.PENDING, 1)

    asyncio.run(run())


def test_a_clock_that_was_set_back(store: SqliteStore) -> None:
    """What is due later than it can be goes out at once; what is due later stays."""
    fill(store, "a", due=NOW + 10_000_000)
    fill(store, "b", due=NOW + 3600)
    mailbox = Mailbox(store)

    async def run() -> None:
        sender = Sender(mailbox, Poster(), [0.0], lambda: NOW)
        sender.open()
        await all_of(mailbox, DeliveryStatus.DELIVERED, 1)
        await sender.close()
        assert [each.status for each in await mailbox.of("job_x", "alice")] == ["delivered", "pending"]

    asyncio.run(run())


def test_deliveries_go_with_their_job(store: SqliteStore) -> None:
    """A job that is forgotten leaves none, nor the URL; others than its principal see none before."""
    fill(store, "a")
    mailbox = Mailbox(store)

    async def run() -> None:
        for ask in (mailbox.of("job_x", "bob"), mailbox.change("msg_0", "bob", lambda delivery: delivery)):
            with pytest.raises(NotFound):
                await ask
        store.write(lambda rows: rows.strip("job_x")).result()
        assert len(await mailbox.of("job_x", "alice")) == 1
        store.write(lambda rows: rows.delete("job_x")).result()
        assert store.read(lambda rows: rows.delivery("msg_0") or rows.callback("job_x")).result() is None
        assert (await mailbox.collect(NOW, {}, 4, 10)).ready == []

    asyncio.run(run())


def test_wanted_again_while_it_is_sent(store: SqliteStore) -> None:
    """If the attempt under way is the last one and fails, the delivery is sent again all the same."""
    fill(store, "broken")
    poster, mailbox = Poster(), Mailbox(store)

    async def run() -> None:
        poster.held["broken"] = asyncio.Event()
        sender = Sender(mailbox, poster, [0.0], lambda: NOW)
        sender.open()
        while not poster.sent:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)
        await mailbox.change("msg_0", "alice", lambda delivery: again(delivery, NOW - 1.0))
        poster.held["broken"].set()
        await all_of(mailbox, DeliveryStatus.DEAD, 1)
        (delivery,) = await mailbox.of("job_x", "alice")
        assert delivery.attempts == len(poster.sent) == 2
        await sender.close()

    asyncio.run(run())


def test_a_fault_of_the_store_does_not_end_it(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is raised while it looks for what is due, it looks again."""
    monkeypatch.setattr("litgen_runtime.webhooks.sender._AGAIN_S", 0.01)
    fill(store, "a")
    mailbox = Mailbox(store)
    failures, collect = iter([True]), mailbox.collect

    async def collect_or_fail(*args: Any) -> Any:
        if next(failures, False):
            raise ValueError("a row that makes no sense")
        return await collect(*args)

    async def run() -> None:
        monkeypatch.setattr(mailbox, "collect", collect_or_fail)
        sender = Sender(mailbox, Poster(), [0.0], time.monotonic)
        sender.open()
        await all_of(mailbox, DeliveryStatus.DELIVERED, 1)
        await sender.close()

    asyncio.run(run())


def test_what_is_not_due_is_not_read(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand receivers that wait for their next attempt, none costs a look at what they are to be sent."""
    fill(store, *(f"later-{number}" for number in range(50)), due=NOW + 100.0)
    fill(store, "now")
    asked: list[str] = []
    pending = SqliteMailRows.pending

    def count(rows: SqliteMailRows, line: Line, limit: int) -> Any:
        asked.append(line.place)
        return pending(rows, line, limit)

    monkeypatch.setattr(SqliteMailRows, "pending", count)
    post = asyncio.run(Mailbox(store).collect(NOW, {}, 4, 256))
    assert [each.delivery.place for each in post.ready] == ["now"]
    assert (asked, post.next_due) == (["now"], NOW + 100.0)
