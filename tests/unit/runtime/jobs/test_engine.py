"""An engine, between a ledger that a test holds up and workers that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from litgen_runtime.dispatcher.ticket import NotRun, Ticket
from litgen_runtime.errors import KillsWorkers, PredictFailed, StorageFull
from litgen_runtime.jobs.claims import Claim, Settlement
from litgen_runtime.jobs.engine import Engine
from litgen_runtime.jobs.machine import Failed, GivenBack, Succeeded
from litgen_runtime.jobs.record import Job, Status
from litgen_runtime.transport.frames import Result
from tests.unit.runtime.fakes import run, turns


class Desk:
    """Both: a ledger with jobs, and workers with room for one."""

    def __init__(self, *jobs: Claim) -> None:
        self.jobs = list(jobs)
        self.backlogs = {"embed": SimpleNamespace(jobs=1)}
        self.asked = 0
        self.settled: list[Settlement] = []
        self.may_claim = asyncio.Event()
        self.may_settle = asyncio.Event()
        self.may_claim.set()
        self.may_settle.set()
        self.tickets: list[Ticket] = []
        self.stopped: list[Ticket] = []
        self.in_flight = 0
        self.on_room: Any = None
        self.room = 1

    async def claim(self, _: str, limit: int) -> Sequence[Claim]:
        """Give what is there."""
        self.asked += 1
        await self.may_claim.wait()
        given, self.jobs = self.jobs[:limit], self.jobs[limit:]
        return given

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Write."""
        await self.may_settle.wait()
        self.settled += settlements

    def run_behind(self, bodies: Sequence[bytes]) -> list[Ticket]:
        """Run."""
        found = [Ticket(1, body, 0.0, 1e9, 1e9, patient=True) for body in bodies]
        self.tickets += found
        return found

    def stop(self, ticket: Ticket) -> None:
        """Have one end."""
        self.stopped.append(ticket)

    def count(self, change: int) -> None:
        """So many more are in flight."""
        self.in_flight += change

    def engine(self, *, repeatable: bool = True) -> Engine:
        """Return one that works."""
        engine = Engine("embed", self, self, "text/plain", repeatable=repeatable, running=self.count)  # type: ignore[arg-type]  # as far as it goes
        self.tasks = [asyncio.get_running_loop().create_task(work()) for work in (engine.claim_on, engine.settle_on)]
        return engine


def job(name: str = "job_1") -> Job:
    """Return one that runs."""
    return Job(name, "embed", "", Status.RUNNING, 0.0, 0.0, attempt=1, fence=1)


def test_what_is_claimed_at_the_stop_is_given_back(caplog: pytest.LogCaptureFixture) -> None:
    """It has not begun, and counts as no attempt; to close waits for it, and says how many these are."""

    async def main() -> None:
        desk = Desk(Claim(job(), b""))
        engine = desk.engine()
        desk.may_claim.clear()
        engine.wake()
        await turns()
        assert desk.asked == 1
        engine.stop()
        closing = asyncio.get_running_loop().create_task(engine.close())
        await turns()
        assert not closing.done()
        desk.may_claim.set()
        await closing
        assert (desk.tickets, [each.outcome for each in desk.settled]) == ([], [GivenBack()])
        assert desk.in_flight == 0

    caplog.set_level("INFO", "litgen_runtime")
    run(main())
    assert caplog.messages == ["embed: jobs given back, to run after the next start: 1"]


def test_a_result_on_its_way_to_the_disk_is_waited_for() -> None:
    """To close means that what has ended is written, also what is being written at that moment."""

    async def main() -> None:
        desk = Desk(Claim(job(), b""))
        engine = desk.engine()
        engine.wake()
        await turns()
        desk.may_settle.clear()
        desk.tickets[0].settle(Result(1, 200, 0.0, b"9"))
        await turns()
        closing = asyncio.get_running_loop().create_task(engine.close())
        await turns()
        assert not closing.done()
        desk.may_settle.set()
        await closing
        assert [each.outcome for each in desk.settled] == [Succeeded()]

    run(main())


def test_a_cancel_that_comes_before_its_run() -> None:
    """A call's run that becomes a job's is told, whatever is claimed between; one that has ended is not waited for."""

    async def main() -> None:
        desk = Desk()
        engine = desk.engine()
        engine.stop_job(job())
        engine.wake()
        await turns()
        assert desk.asked == 1
        ticket = Ticket(1, b"", 0.0, 1e9, 1e9)
        engine.follow(job(), ticket)
        assert desk.stopped == [ticket]
        ticket.settle(NotRun())
        await turns()
        assert [each.outcome for each in desk.settled] == [GivenBack()]
        assert engine._unwanted == set()

    run(main())


def test_nothing_due_is_asked_for_once() -> None:
    """Room at the workers is no reason to look again where all that waits, waits for its time; a new job is one."""

    async def main() -> None:
        desk = Desk()
        engine = desk.engine()
        engine.wake()
        await turns()
        for _ in range(10):
            desk.on_room()
            await turns()
        assert desk.asked == 1
        desk.jobs.append(Claim(job(), b""))
        desk.may_claim.clear()
        engine.wake()
        await turns()
        engine.wake()  # while it is being looked
        desk.may_claim.set()
        await turns(8)
        assert (len(desk.tickets), desk.asked) == (1, 4)

    run(main())


def test_room_matters_while_something_is_due() -> None:
    """What could not be claimed for want of room is, as soon as there is some."""

    async def main() -> None:
        desk = Desk(Claim(job(), b""))
        desk.room = 0
        engine = desk.engine()
        engine.wake()
        await turns()
        assert desk.asked == 0
        desk.room = 1
        desk.on_room()
        await turns()
        assert len(desk.tickets) == 1

    run(main())


def test_a_body_that_cannot_be_read_fails_its_job_alone() -> None:
    """What stands beside it runs."""

    async def main() -> None:
        desk = Desk(Claim(job("a"), StorageFull("full", log="a path")), Claim(job("b"), b"{}"))
        desk.room = 2
        engine = desk.engine()
        engine.wake()
        await turns()
        assert [ticket.body for ticket in desk.tickets] == [b"{}"]
        (settlement,) = desk.settled
        assert isinstance(settlement.outcome, Failed)
        assert (settlement.job.id, settlement.outcome.again) == ("a", True)
        assert b"a path" not in settlement.outcome.error
        assert desk.in_flight == 1

    run(main())


def test_the_log_is_not_stored(caplog: pytest.LogCaptureFixture) -> None:
    """Of a failure, what is for the log goes there and not into the database; it names the job."""

    async def main() -> None:
        desk = Desk(Claim(job(), b""))
        desk.engine().wake()
        await turns()
        error = PredictFailed("It raised.", log="Traceback: secret")
        desk.tickets[0].settle(Result(1, 500, 0.0, error.to_json()))
        await turns()
        (settlement,) = desk.settled
        assert isinstance(settlement.outcome, Failed)
        assert b"secret" not in settlement.outcome.error

    run(main())
    assert caplog.messages == ["embed: job_1: Traceback: secret"]


def test_a_failure_that_the_runtime_knows_of_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Though no code of the owner's has raised anything: under the job's id, with whose it is, as a call's."""

    async def main() -> None:
        desk = Desk(Claim(replace(job(), principal="alice"), b""))
        desk.engine().wake()
        await turns()
        desk.tickets[0].settle(KillsWorkers("2 workers died."))
        await turns()

    run(main())
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert caplog.messages == ["embed: job_1 of alice: kills-workers: 2 workers died."]


@pytest.mark.parametrize("ends", [True, False])
def test_what_may_not_run_twice_is_lost_with_its_run(ends: bool, caplog: pytest.LogCaptureFixture) -> None:
    """The end of the service fails it, and says so; a wish to end it does not."""

    async def main() -> None:
        desk = Desk(Claim(job(), b""))
        engine = desk.engine(repeatable=False)
        engine.wake()
        await turns()
        if ends:
            engine.stop()
        desk.tickets[0].started = 1.0
        desk.tickets[0].settle(NotRun())
        await turns()
        (settlement,) = desk.settled
        assert isinstance(settlement.outcome, Failed)
        assert b"worker-died" in settlement.outcome.error

    run(main())
    lost = "embed: job_1: worker-died: The service ended while this job ran."
    assert caplog.messages == ([lost] if ends else [])
