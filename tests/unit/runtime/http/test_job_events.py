from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, MutableMapping
from types import SimpleNamespace
from typing import Any

from litgen_runtime.errors import NotFound
from litgen_runtime.http.job_events import stream_events
from litgen_runtime.jobs.bells import Bells
from litgen_runtime.jobs.record import Job, Status
from litgen_runtime.jobs.store import Event
from litgen_runtime.testing import FakeClock
from tests.unit.runtime.fakes import run

JOB = Job("job_1", "embed", "alice", Status.RUNNING, 1.0, 1.0)


class FakeDesk:
    """Events that a test makes happen."""

    def __init__(self) -> None:
        self.happened: list[Event] = []
        self.bells = Bells()
        self.ledger = self
        self.is_there = True

    def happen(self, kind: str) -> None:
        self.happened.append(Event(len(self.happened) + 1, 2.0, kind, b"{}"))
        self.bells.ring(JOB.id)

    async def events(self, _: str, after: int, limit: int) -> list[Event]:
        return self.happened[after : after + limit]

    async def get(self, *_: str) -> Job:
        if not self.is_there:
            raise NotFound("gone")
        return JOB


class Client:
    """Reads a stream."""

    def __init__(self, desk: FakeDesk, headers: Mapping[str, str] | None = None) -> None:
        self.texts: list[str] = []
        self.ended = False
        self.gone = asyncio.Event()
        lines = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        self.scope: dict[str, Any] = {"method": "GET", "headers": lines, "litgen.connection": SimpleNamespace()}
        self.scope["litgen.connection"].progressed = lambda: None
        self.reading = asyncio.get_running_loop().create_task(
            stream_events(desk, JOB, self.scope, self.receive, self.send, b"x")  # type: ignore[arg-type]  # as far as it goes
        )

    async def receive(self) -> MutableMapping[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            self.texts.append(message["body"].decode())
            self.ended = not message.get("more_body", False)

    @property
    def kinds(self) -> list[str]:
        """What has been heard."""
        lines = "".join(self.texts).splitlines()
        return [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]


def test_silence_is_filled() -> None:
    """A comment comes every 15 seconds in which nothing happens."""

    async def main() -> None:
        desk = FakeDesk()
        client = Client(desk)
        await asyncio.sleep(50.0)
        assert client.texts[1:] == [":\n\n"] * 3
        desk.happen("succeeded")
        await client.reading
        assert client.kinds == ["queued", "succeeded"]
        assert client.ended

    run(main(), FakeClock(1000.0))


def test_more_than_a_page() -> None:
    """All of it comes, in order, and once."""

    async def main() -> None:
        desk = FakeDesk()
        for _ in range(250):
            desk.happen("progress")
        desk.happen("failed")
        client = Client(desk, {"last-event-id": "3"})
        await client.reading
        numbers = [line for line in "".join(client.texts).splitlines() if line.startswith("id: ")]
        assert numbers == [f"id: {number}" for number in range(4, 252)]
        data = [line for line in "".join(client.texts).splitlines() if line.startswith("data: ")]
        assert json.loads(data[0].removeprefix("data: "))["at"] == "1970-01-01T00:00:02.000Z"

    run(main())


def test_who_leaves_is_let_go() -> None:
    """At once, and nobody rings for them any more."""

    async def main() -> None:
        desk = FakeDesk()
        client = Client(desk)
        await asyncio.sleep(1.0)
        client.gone.set()
        await client.reading
        assert client.kinds == ["queued"]

    run(main())


def test_a_drain_and_a_job_that_is_gone() -> None:
    """End the stream, too."""

    async def main() -> None:
        desk = FakeDesk()
        drained = Client(desk)
        await asyncio.sleep(1.0)
        desk.bells.silence()
        await drained.reading
        assert drained.ended
        desk = FakeDesk()
        bereft = Client(desk)
        await asyncio.sleep(1.0)
        desk.is_there = False
        await asyncio.sleep(20.0)
        assert bereft.reading.done()

    run(main())
