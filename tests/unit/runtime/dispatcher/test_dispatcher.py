from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.dispatcher.line import WorkerLine
from litgen_runtime.dispatcher.ticket import NotRun, Ticket
from litgen_runtime.errors import (
    DeadlineExceeded,
    Draining,
    Hopeless,
    KillsWorkers,
    PredictFailed,
    Quarantined,
    QueueFull,
    RunTooLong,
    WorkerDied,
)
from litgen_runtime.testing import FakeClock
from litgen_runtime.transport.frames import DROPPED, Result
from tests.unit.runtime.fakes import FakeWorker, run, turns
from tests.unit.runtime.mini import choices


def dispatcher(
    max_size: int | None = None,
    timeout_s: float | bool = 30.0,
    queue: int | dict[str, int] = 1024,
    kill: Callable[[WorkerLine, str], None] = lambda line, why: None,
    **more: Any,
) -> Dispatcher:
    """Return the dispatcher of an endpoint with these choices."""
    batching = None if max_size is None else {"max_size": max_size}
    bound = {"max_size": queue} if isinstance(queue, int) else queue
    embed = choices(batching=batching, timeout_s=timeout_s, queue=bound, **more).endpoints["embed"]
    return Dispatcher("embed", embed, kill)


def now() -> float:
    """Return the fake loop's time."""
    return asyncio.get_running_loop().time()


def answer_of(ticket: Ticket) -> Result | BaseException:
    """Return what a ticket was answered with."""
    assert ticket.outcome is not None
    return ticket.outcome


def test_answer_comes_back() -> None:
    """A request's answer is the worker's, for that request."""

    async def main() -> None:
        d = dispatcher()
        worker = FakeWorker(d).ready()
        tickets = [d.submit(body, now()) for body in (b"a", b"b")]
        await turns()
        worker.read()
        worker.echo()
        assert [(await ticket.wait()).body for ticket in tickets] == [b"a", b"b"]

    run(main())


def test_what_arrives_together_travels_together() -> None:
    """All requests of one turn of the loop go out in one frame."""

    async def main() -> None:
        d = dispatcher(max_size=8)
        worker = FakeWorker(d).ready()
        for _ in range(8):
            d.submit(b"", now())
        await turns()
        assert len(worker.read()) == 8
        assert worker.frames == 1

    run(main())


@pytest.mark.parametrize(("max_size", "sent"), [(4, 8), (8, 16), (32, 32)])
def test_a_bunch_does_not_wait_for_the_rest(max_size: int, sent: int) -> None:
    """What fills a batch, and is worth a frame, goes out while the rest of what has arrived is still read."""

    async def main() -> None:
        d = dispatcher(max_size=max_size)
        worker = FakeWorker(d).ready()
        await turns()
        for _ in range(max(max_size, 16) - 1):
            d.submit(b"", now())
        assert worker.read() == []
        d.submit(b"", now())
        assert (len(worker.read()), worker.frames) == (sent, 1)
        await turns()
        assert worker.read() == []

    run(main())


def test_requests_wait_for_a_worker() -> None:
    """Without a worker requests queue, and go out in order once one has loaded."""

    async def main() -> None:
        d = dispatcher(max_size=4)
        tickets = [d.submit(b"", now()) for _ in range(3)]
        await turns()
        assert (d.queued, d.workers) == (3, 0)
        worker = FakeWorker(d).ready()
        await turns()
        worker.read()
        assert (d.queued, d.workers) == (0, 1)
        assert worker.received == [ticket.id for ticket in tickets]

    run(main())


def test_the_rest_stays_in_the_queue() -> None:
    """A worker gets two batches; what is beyond stays where any worker can still take it."""

    async def main() -> None:
        d = dispatcher(max_size=2)
        first = FakeWorker(d).ready()
        for _ in range(6):
            d.submit(b"", now())
        await turns()
        assert (len(first.read()), d.queued) == (4, 2)
        second = FakeWorker(d).ready()
        await turns()
        assert (len(second.read()), d.queued) == (2, 0)

    run(main())


def test_large_bodies_stay_in_the_queue() -> None:
    """What a worker holds is bounded in bytes as the queue is: beyond that the next batch comes when it is needed."""

    async def main() -> None:
        d = dispatcher(max_size=4, queue={"max_bytes": 25})
        worker = FakeWorker(d).ready()
        for _ in range(5):
            d.submit(b"ten bytes.", now())
            await turns()
        assert (len(worker.read()), d.queued) == (3, 2)
        worker.start(3)
        worker.finish()
        await turns()
        assert (len(worker.read()), d.queued) == (2, 0)

    run(main())


def test_queue_bound() -> None:
    """Past its bound the queue refuses at once, with the time after which to come back."""

    async def main() -> None:
        d = dispatcher(queue=2)
        for _ in range(2):
            d.submit(b"", now())
        with pytest.raises(QueueFull) as refused:
            d.submit(b"", now())
        assert refused.value.headers == {"Retry-After": "5"}
        assert "2 requests (0 bytes) wait for embed, the most it takes." in refused.value.detail

    run(main())


def test_burst_with_a_free_worker() -> None:
    """The bound counts what no worker has a place for: a burst in one turn of the loop is not refused too early."""

    async def main() -> None:
        d = dispatcher(max_size=4, queue=1)
        worker = FakeWorker(d).ready()
        for _ in range(9):  # two batches, and one that waits
            d.submit(b"", now())
        with pytest.raises(QueueFull):
            d.submit(b"", now())
        await turns()
        assert (len(worker.read()), d.queued) == (8, 1)

    run(main())


def test_timeout_in_the_queue() -> None:
    """A request that is still queued at its deadline is answered 504 punctually, and never runs."""

    async def main() -> None:
        d = dispatcher(timeout_s=2.0)
        began = now()
        ticket = d.submit(b"", began - 0.5)
        with pytest.raises(DeadlineExceeded) as late:
            await ticket.wait()
        assert now() == pytest.approx(began + 1.5)
        assert "within 2 s. It waited 2.00 s and never ran; 0 others wait" in late.value.detail
        assert "raise endpoints.embed.timeout_s" in late.value.detail
        worker = FakeWorker(d).ready()
        await turns()
        assert worker.read() == []

    run(main())


def test_timeout_at_a_worker() -> None:
    """The client is freed, the worker is told, and the worker's place stays taken until it answers."""

    async def main() -> None:
        d = dispatcher(timeout_s=2.0)
        worker = FakeWorker(d).ready()
        ticket = d.submit(b"", now())
        with pytest.raises(DeadlineExceeded) as late:
            await ticket.wait()
        assert "It waited 0.00 s and ran for 2.00 s." in late.value.detail
        worker.read()
        assert worker.cancelled == [ticket.id]
        assert worker.line.load.held == 1
        worker.drop()
        assert worker.line.load.held == 0

    run(main())


def test_deadline_travels() -> None:
    """A worker is told each request's deadline, counted from the headers' arrival."""

    async def main() -> None:
        timed, timeless = dispatcher(timeout_s=2.0), dispatcher(timeout_s=False)
        workers = [FakeWorker(d).ready() for d in (timed, timeless)]
        for d in (timed, timeless):
            d.submit(b"", 999.0)
        await turns()
        assert [worker.read()[0].deadline for worker in workers] == [1001.0, math.inf]

    run(main(), FakeClock(1000.0))


def test_no_timeout() -> None:
    """Without a timeout a request waits as long as it takes."""

    async def main() -> None:
        d = dispatcher(timeout_s=False)
        ticket = d.submit(b"", now())
        await asyncio.sleep(1e6)
        assert ticket.is_open

    run(main())


def test_death() -> None:
    """What a dead worker ran is run again alone, before what it had not begun and what was queued."""

    async def main() -> None:
        d = dispatcher()
        worker = FakeWorker(d).ready()
        tickets = [d.submit(b"", now()) for _ in range(3)]
        await turns()
        await asyncio.sleep(0.2)
        worker.die()
        other = FakeWorker(d).ready()
        await turns()
        assert [run.id for run in other.read()] == [tickets[0].id]
        other.echo()
        await turns()
        assert [run.id for run in other.read()] == [tickets[1].id, tickets[2].id]
        other.echo()
        assert [(await ticket.wait()).status for ticket in tickets] == [200, 200, 200]
        assert [ticket.attempt for ticket in tickets] == [2, 1, 1]

    run(main())


@pytest.mark.parametrize("max_size", [None, 2])
def test_death_at_an_unknown_moment(max_size: int | None) -> None:
    """Right after its last word a worker may have gone on to anything that it held: each runs again alone."""

    async def main() -> None:
        d = dispatcher(max_size=max_size)
        worker = FakeWorker(d).ready()
        tickets = [d.submit(b"", now()) for _ in range(4)]
        await turns()
        worker.read()
        if max_size:
            worker.start(2)
        await asyncio.sleep(0.05)
        worker.die()
        other = FakeWorker(d).ready()
        for ticket in tickets[: 4 if max_size else 2]:
            await turns()
            assert [run.id for run in other.read()] == [ticket.id]
            other.echo()

    run(main())


def test_what_waits_behind_a_long_run_is_taken_back() -> None:
    """When a worker has nothing to do, it gets what another one holds and has not begun; nothing runs twice."""

    async def main() -> None:
        d = dispatcher(max_size=2)
        slow, fast = FakeWorker(d).ready(), FakeWorker(d).ready()
        tickets = [d.submit(b"", now()) for _ in range(8)]
        await turns()
        assert len(slow.read()) == len(fast.read()) == 4
        slow.start(2)
        for _ in range(2):
            fast.start(2)
            fast.finish()
        await asyncio.sleep(0.05)
        slow.read()
        assert slow.recalled == list(slow.waiting)
        slow.give_back(slow.recalled[:1])
        await turns()
        assert [run.id for run in fast.read()] == slow.recalled[:1]
        slow.finish()
        slow.start(1)  # the other one had begun
        for worker in (slow, fast):
            worker.start(len(worker.waiting))
            worker.finish()
        assert [(await ticket.wait()).status for ticket in tickets] == [200] * 8
        assert [ticket.attempt for ticket in tickets] == [1] * 8

    run(main())


def test_what_was_taken_back_has_not_begun() -> None:
    """An unbatched worker's oldest request counts as run; one that comes back after all does not."""

    async def main() -> None:
        d = dispatcher()
        slow, fast = FakeWorker(d).ready(), FakeWorker(d).ready()
        tickets = [d.submit(b"", now()) for _ in range(4)]
        await turns()
        slow.read()
        fast.read()
        fast.echo()
        await asyncio.sleep(0.05)
        slow.read()
        (key,) = slow.recalled
        first, second = (ticket for ticket in tickets if ticket.line is slow.line)
        slow.answer([Result(first.id, 200, 0.05, b"{}")])
        slow.line.note_running(now())
        assert slow.line.running() == [second]
        d.drain.close()
        fast.line.load.retired = slow.line.load.retired = True
        slow.give_back([key])
        assert (second.started, second.line, d.queued) == (None, None, 1), "as it came"

    run(main())


def test_death_of_what_may_not_run_twice() -> None:
    """With ``repeatable = false`` what a dead worker ran is answered 503 at once; the rest goes to another."""

    async def main() -> None:
        d = dispatcher(repeatable=False)
        worker = FakeWorker(d).ready()
        tickets = [d.submit(b"", now()) for _ in range(2)]
        await turns()
        worker.die()
        with pytest.raises(WorkerDied) as died:
            await tickets[0].wait()
        assert died.value.headers == {"Retry-After": "1"}
        other = FakeWorker(d).ready()
        await turns()
        assert [run.id for run in other.read()] == [tickets[1].id]

    run(main())


def test_a_request_that_kills_workers() -> None:
    """It is found when a second worker dies of it alone, fails by itself, and its repeat is refused at the door."""

    async def main() -> None:
        d = dispatcher(max_size=4)
        first = FakeWorker(d).ready()
        tickets = [d.submit(body, now()) for body in (b"good", b"poison", b"fine")]
        await turns()
        first.read()
        first.start(3)
        first.die()
        worker = FakeWorker(d).ready()
        for _ in range(3):
            await turns()
            (alone,) = worker.read()
            worker.start(1)
            if alone.body == b"poison":
                worker.die()
                worker = FakeWorker(d).ready()
            else:
                worker.finish()
        assert (await tickets[0].wait()).status == (await tickets[2].wait()).status == 200
        with pytest.raises(KillsWorkers):
            await tickets[1].wait()
        with pytest.raises(Quarantined):
            d.submit(b"poison", now())
        d.submit(b"good", now())

    run(main())


def test_room_for_jobs_after_a_death() -> None:
    """A worker that was kept free for what another one died of has room again, also where nobody else asks."""

    async def main() -> None:
        d = dispatcher(max_size=2)
        offered: list[int] = []
        d.on_room = lambda: offered.append(d.room)
        worker = FakeWorker(d).ready()
        d.run_behind([b"job"])
        worker.read()
        worker.start(1)
        worker.die()
        worker = FakeWorker(d).ready()
        await turns()
        worker.read()
        worker.start(1)
        offered.clear()
        worker.finish()
        await turns()
        assert (offered[-1:], d.room) == ([4], 4)

    run(main())


@pytest.mark.parametrize(("own_s", "said"), [(1.5, "1.5"), (1e-7, "0.001"), (0.1234567, "0.123")])
def test_the_clients_own_limit(own_s: float, said: str) -> None:
    """A client whose own limit is over is told that it is that, and its owner is asked for nothing."""

    async def main() -> None:
        d = dispatcher(timeout_s=2.0)
        waiting, running = d.submit(b"", now()), d.submit(b"", now(), own_s)
        assert waiting.is_open
        with pytest.raises(DeadlineExceeded) as late:
            await running.wait()
        assert f"within {said} s, the X-Request-Timeout of this request. It waited" in late.value.detail
        assert "never ran; 1 other waits." in late.value.detail
        assert "Allow more time in X-Request-Timeout." in late.value.detail
        assert "timeout_s" not in late.value.detail

    run(main())


def test_what_had_begun_is_not_said_to_have_never_run() -> None:
    """A request whose worker died, and that waits to run again at its deadline, is told that it had begun."""

    async def main() -> None:
        d = dispatcher(timeout_s=2.0)
        worker = FakeWorker(d).ready()
        ticket = d.submit(b"", now())
        await turns()
        worker.read()
        worker.die()
        with pytest.raises(DeadlineExceeded) as late:
            await ticket.wait()
        assert "It had begun when its worker died, and waited to run again 2.00 s after it came." in late.value.detail
        assert "never ran" not in late.value.detail

    run(main())


def test_a_queue_timeout() -> None:
    """What has not begun by ``queue_timeout_s`` is answered then; what has begun goes on, with or without a timeout."""

    async def main() -> None:
        d = dispatcher(timeout_s=False, queue_timeout_s=1.0)
        worker = FakeWorker(d).ready()
        first, second = (d.submit(b"", now()) for _ in range(2))
        with pytest.raises(DeadlineExceeded) as late:
            await second.wait()
        assert "within 1 s. It waited 1.00 s and never ran" in late.value.detail
        assert "endpoints.embed.queue_timeout_s" in late.value.detail
        assert first.is_open
        worker.read()
        worker.echo()
        assert (await first.wait()).status == 200

    run(main())


async def experienced(max_size: int | None = None) -> tuple[Dispatcher, FakeWorker]:
    """Return a dispatcher that knows that a run takes 1.5 s of the 2 s there are, and its worker."""
    d = dispatcher(max_size, timeout_s=2.0)
    worker = FakeWorker(d).ready()
    for _ in range(8):
        done = d.submit(b"", now())
        await turns()
        worker.read()
        worker.answer([Result(done.id, 200, 1.5, b"{}")])
        worker.waiting.clear()
    return d, worker


def test_too_little_time_left() -> None:
    """With less time left than a run takes a request is refused rather than run, if that serves another one."""

    async def main() -> None:
        d, worker = await experienced(max_size=4)
        hopeless, by_its_own, fine = d.submit(b"", now() - 1.0), d.submit(b"", now(), 0.5), d.submit(b"", now())
        await turns()
        with pytest.raises(Hopeless, match=r"raise endpoints\.embed\.timeout_s or add workers"):
            await hopeless.wait()
        with pytest.raises(Hopeless, match="Allow more time in X-Request-Timeout"):
            await by_its_own.wait()
        assert [sent.id for sent in worker.read()] == [fine.id]

    run(main())


@pytest.mark.parametrize("max_size", [None, 4])
def test_too_little_time_left_with_nobody_else(max_size: int | None) -> None:
    """A worker that has nothing else to do may as well try: runs may have become faster."""

    async def main() -> None:
        d, worker = await experienced(max_size=max_size)
        alone = d.submit(b"", now() - 1.0)
        await turns()
        assert [sent.id for sent in worker.read()] == [alone.id]

    run(main())


def test_too_little_time_left_behind_others() -> None:
    """What a worker has to do first counts too: to start what is late anyway would only make others late."""

    async def main() -> None:
        d, worker = await experienced()
        first, behind = d.submit(b"", now()), d.submit(b"", now())
        await turns()
        assert [sent.id for sent in worker.read()] == [first.id]
        with pytest.raises(Hopeless, match=r"3\.00 s"):
            await behind.wait()

    run(main())


def test_a_client_that_leaves() -> None:
    """A queued request of a client that is gone never runs; the worker is told of one that it holds."""

    async def main() -> None:
        d = dispatcher()
        worker = FakeWorker(d).ready()
        tickets = [d.submit(b"", now()) for _ in range(3)]
        await turns()
        worker.read()
        for ticket in (tickets[0], tickets[2]):
            d.abandon(ticket, ConnectionError())
        worker.read()
        assert worker.cancelled == [tickets[0].id]
        worker.echo()
        await turns()
        assert worker.read() == []
        assert (await tickets[1].wait()).status == 200

    run(main())


def test_a_run_past_its_limit() -> None:
    """It is told to stop at ``run_limit_s``, and its worker is killed at the end of the grace, not before."""

    async def main() -> None:
        killed: list[str] = []
        d = dispatcher(timeout_s=False, run_limit_s=1.0, kill_grace_s=0.5, kill=lambda line, why: killed.append(why))
        worker = FakeWorker(d).ready()
        ticket = d.submit(b"", now())
        await asyncio.sleep(0.9)
        worker.read()
        assert (worker.cancelled, killed) == ([], [])
        await asyncio.sleep(0.3)
        worker.read()
        assert (worker.cancelled, killed) == ([ticket.id], [])
        await asyncio.sleep(0.5)
        assert len(killed) == 1
        worker.die()
        with pytest.raises(RunTooLong):
            await ticket.wait()

    run(main())


@pytest.mark.parametrize("max_size", [None, 2])
def test_a_run_that_fails_once_told_to_stop(max_size: int | None) -> None:
    """Whatever it raises then is ``run-too-long``; a result counts, and so does what the next run raises."""

    async def main() -> None:
        d = dispatcher(max_size=max_size, timeout_s=False, run_limit_s=1.0, kill_grace_s=9.0)
        worker = FakeWorker(d).ready()
        tickets = [d.submit(b"", now()) for _ in range(3)]
        for ticket, status, late in zip(tickets, (500, 200, 500), (True, True, False), strict=True):
            await turns()
            worker.read()
            if max_size:
                worker.start(1)
            await asyncio.sleep(1.1 if late else 0.5)
            worker.running.clear()
            worker.waiting.pop(ticket.id, None)
            worker.answer([Result(ticket.id, status, 1.2, PredictFailed("No.").to_json())])
        with pytest.raises(RunTooLong, match=r"was stopped\. .*endpoints\.embed\.run_limit_s"):
            await tickets[0].wait()
        assert [(await ticket.wait()).status for ticket in tickets[1:]] == [200, 500]
        worker.read()
        assert worker.cancelled == [ticket.id for ticket in tickets[:2]]

    run(main())


def test_death_before_ready() -> None:
    """A worker that dies while loading takes nothing with it."""

    async def main() -> None:
        d = dispatcher()
        ticket = d.submit(b"", now())
        FakeWorker(d).die()
        await turns()
        assert (d.queued, d.workers, ticket.is_open) == (1, 0, True)

    run(main())


def test_cut() -> None:
    """A cut answers everything that is open, queued or at a worker, and counts it; what is answered is not."""

    async def main() -> None:
        d = dispatcher()
        worker = FakeWorker(d).ready()
        tickets = [d.submit(b"", now()) for _ in range(4)]
        await turns()
        worker.answer([Result(tickets[0].id, 200, 0.1, b"{}")])
        await turns()
        assert d.drain.cut() == (3, 0)
        assert (await tickets[0].wait()).status == 200
        for ticket in tickets[1:]:
            with pytest.raises(Draining) as cut:
                await ticket.wait()
            assert cut.value.headers == {"Connection": "close"}
        assert (d.drain.cut(), d.queued) == ((0, 0), 0)
        with pytest.raises(Draining):
            d.submit(b"", now())  # its body was on its way to a file
        other = FakeWorker(d).ready()
        await turns()
        assert other.read() == [], "what was cut does not run"

    run(main())


def test_what_comes_of_jobs_behind_a_cut() -> None:
    """Their workers are told; a result counts, anything else is no run, and a line closes once all is answered.

    That is so for runs too that have reached their limit meanwhile.
    """

    async def main() -> None:
        d = dispatcher(max_size=4, jobs=True, run_limit_s=1.0, kill_grace_s=9.0)
        worker = FakeWorker(d).ready()
        jobs = d.run_behind([b"result", b"raises", b"dropped"])
        worker.read()
        worker.start(3)
        assert d.drain.cut() == (0, 3)
        d.drain.close()
        worker.read()
        assert worker.cancelled == [job.id for job in jobs]
        assert all(job.is_open for job in jobs)
        await asyncio.sleep(2.0)
        assert all(job.told for job in jobs)
        error = PredictFailed("It raised.").to_json()
        worker.answer([Result(jobs[0].id, 200, 0.1, b"{}"), Result(jobs[1].id, 500, 0.1, error)])
        assert not worker.transport.closed
        worker.answer([Result(jobs[2].id, DROPPED, 0.1, b"")])
        assert worker.transport.closed
        assert isinstance(jobs[0].outcome, Result)
        assert [type(job.outcome) for job in jobs[1:]] == [NotRun, NotRun]

    run(main())


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_worker_that_is_killed_behind_a_cut(repeatable: bool) -> None:
    """What it ran goes to no other worker, nor does what has died with another one and waits to run alone."""

    async def main() -> None:
        d = dispatcher(jobs=True, repeatable=repeatable)
        worker, other = FakeWorker(d).ready(), FakeWorker(d).ready()
        jobs = d.run_behind([b"a", b"b"])
        for each in (worker, other):
            each.read()
            each.start(1)
        worker.die()
        await turns()
        assert d.drain.cut() == (0, 1 + repeatable)
        other.die()
        idle = FakeWorker(d).ready()
        await turns()
        assert (d.queued, idle.read()) == (0, [])
        assert isinstance(jobs[1].outcome, NotRun)
        assert isinstance(jobs[0].outcome, NotRun if repeatable else WorkerDied)

    run(main())


def test_answer_after_the_timeout() -> None:
    """A failure that comes too late for its client is at least logged."""

    async def main() -> list[str]:
        d = dispatcher(timeout_s=1.0)
        worker = FakeWorker(d).ready()
        ticket = d.submit(b"", now())
        with pytest.raises(DeadlineExceeded):
            await ticket.wait()
        worker.answer([Result(ticket.id, 500, 3.0, PredictFailed("No.", log="out of memory").to_json())])
        return lines

    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("litgen_runtime.dispatcher.dispatcher")
    logger.addHandler(handler)
    try:
        assert run(main()) == ["embed: a request that nobody waits for any more failed: out of memory"]
    finally:
        logger.removeHandler(handler)


def test_failure_is_an_answer() -> None:
    """A failure of the model is the result that the door turns into an error."""

    async def main() -> None:
        d = dispatcher()
        worker = FakeWorker(d).ready()
        ticket = d.submit(b"", now())
        await turns()
        worker.answer([Result(ticket.id, 500, 0.1, PredictFailed("No.").to_json())])
        assert (await ticket.wait()).status == 500

    run(main())


def test_close() -> None:
    """Closing lets every worker read the end of its line."""

    async def main() -> None:
        d = dispatcher()
        workers = [FakeWorker(d).ready() for _ in range(2)]
        d.drain.close()
        await turns()
        assert [worker.transport.closed for worker in workers] == [True, True]
        assert d.workers == 0

    run(main())


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["submit", "submit", "submit", "job", "wait", "start", "finish", "echo", "drop", "die", "born", "cut"]
        ),
        st.integers(0, 7),
    ),
    max_size=60,
)


class Play:
    """A dispatcher, its workers, and what must hold whatever happens."""

    def __init__(self, max_size: int | None, timeout_s: float | bool, queue: int) -> None:
        self.dispatcher = dispatcher(max_size, timeout_s, queue, jobs=max_size is not None)
        self.announces = max_size is not None
        self.timeout_s = timeout_s
        self.queue = queue
        self.workers: list[FakeWorker] = []
        self.tickets: list[Ticket] = []
        self.settled: dict[int, int] = {}
        self.put_back = 0
        self.is_cut = False

    def step(self, name: str, number: int) -> None:
        """Let something happen; a worker is the ``number``-th, where it needs one."""
        if name == "submit":
            self.submit(number)
        elif name == "born":
            self.workers.append(FakeWorker(self.dispatcher).ready())
        elif name == "job":
            self.run_behind()
        elif name == "cut":
            patient = [ticket.patient for ticket in self.tickets if ticket.is_open]
            assert self.dispatcher.drain.cut() == (patient.count(False), patient.count(True))
            self.is_cut = True
        elif self.workers and name != "wait":
            self.step_of(self.workers[number % len(self.workers)], name, number)

    def step_of(self, worker: FakeWorker, name: str, number: int) -> None:
        if name == "die":
            self.workers.remove(worker)
            self.put_back += worker.held
        if name == "start" and (not self.announces or worker.running or not worker.waiting):
            return
        steps: dict[str, Callable[[], None]] = {
            "start": lambda: worker.start(min(number + 1, self.dispatcher.max_size)),
            "finish": worker.finish,
            "echo": worker.finish if self.announces else worker.echo,
            "drop": worker.drop,
            "die": worker.die,
        }
        steps[name]()

    def submit(self, number: int) -> None:
        before = self.dispatcher.queued
        try:
            ticket = self.dispatcher.submit(f"body {len(self.tickets)}".encode(), now() - number / 8)
        except QueueFull:
            assert before >= self.queue, "nobody is refused while there is room"
            return
        except Draining:
            assert self.is_cut
            return
        assert not self.is_cut, "nobody looks after what comes behind the cut"
        self.follow(ticket)

    def run_behind(self) -> None:
        if self.announces and not self.is_cut and self.dispatcher.room:  # an engine has stopped long before the cut
            self.follow(*self.dispatcher.run_behind([f"body {len(self.tickets)}".encode()]))

    def follow(self, ticket: Ticket) -> None:
        ticket.on_done = lambda: self.settled.update({ticket.id: self.settled.get(ticket.id, 0) + 1})
        if not ticket.is_open:
            ticket.on_done()
        self.tickets.append(ticket)

    def check(self) -> None:
        assert self.dispatcher.queued <= self.queue + self.put_back, "only what workers lost may wait beyond the bound"
        for worker in self.workers:
            if fresh := worker.read():
                load = worker.line.load
                assert load.waiting + load.running <= load.credit, "credit is never exceeded"
                first = {ticket.id for ticket in self.tickets if ticket.attempt == 1}
                keys = [run.id for run in fresh if run.id in first]
                assert keys == sorted(keys), "order is kept, but for what has to run alone"
            assert worker.line.load.held == worker.held, "a place is freed by an answer or death, by nothing else"
        held = [key for worker in self.workers for key in (*worker.waiting, *worker.running)]
        assert len(held) == len(set(held)), "a request is with one worker at most"
        loads = [worker.line.load for worker in self.workers]
        waiting = [ticket.attempt for ticket in self.dispatcher._waiting]
        if 1 in waiting:
            assert all(load.reserved or load.is_full for load in loads), "nothing waits for no reason"
        if 2 in waiting:
            assert all(load.held for load in loads), "what has to run alone waits for an idle worker only"
        for ticket in self.tickets:
            if ticket.is_open:
                assert ticket.deadline > now(), "a timeout is punctual"
            else:
                self.check_answer(ticket)

    def check_answer(self, ticket: Ticket) -> None:
        answer = answer_of(ticket)
        if isinstance(answer, Result):
            assert (answer.id, answer.status, answer.body) == (ticket.id, 200, ticket.body), "the answer is its own"
        else:
            lost = NotRun if ticket.patient else (DeadlineExceeded, Hopeless, Draining)
            assert isinstance(answer, (KillsWorkers, lost))
        if isinstance(answer, DeadlineExceeded):
            assert ticket.deadline <= now() + 1e-6


@given(
    STEPS,
    st.sampled_from([None, 1, 2, 3]),
    st.sampled_from([False, 1.0, 2.5]),
    st.integers(1, 6),
    st.lists(st.integers(0, 8), min_size=1, max_size=10),
)
@settings(max_examples=80)
def test_every_ticket_is_answered_exactly_once(
    steps: list[tuple[str, int]],
    max_size: int | None,
    timeout_s: float | bool,
    queue: int,
    waits: list[int],
) -> None:
    """In any order of arrivals, answers, deaths, timeouts and cuts: one answer each, the right one, in bounds."""

    async def main() -> None:
        play = Play(max_size, timeout_s, queue)
        play.step("born", 0)
        await turns()
        for index, (name, number) in enumerate(steps):
            play.step(name, number)
            if name == "wait":
                await asyncio.sleep(waits[index % len(waits)] / 8)
            await turns()
            play.check()
        play.step("cut", 0)
        for worker in play.workers:
            worker.die()
        await turns()
        for ticket in play.tickets:
            assert play.settled.get(ticket.id) == 1, "exactly one answer"
            play.check_answer(ticket)

    run(main())


def test_a_suspect_that_is_stopped() -> None:
    """A job whose worker has died is over at once when it is stopped before it can run again, and blocks no worker."""

    async def main() -> None:
        d = dispatcher(jobs=True)
        worker = FakeWorker(d).ready()
        (job,) = d.run_behind([b""])
        worker.read()
        worker.start(1)
        busy = FakeWorker(d).ready()
        request = d.submit(b"", now())
        await turns()
        busy.read()
        busy.start(1)
        worker.die()
        await turns()
        assert (job.is_open, d.room) == (True, 0)
        d.stop(job)
        assert isinstance(job.outcome, NotRun)
        busy.finish()
        assert (await request.wait()).status == 200
        await turns()
        assert d.room > 0

    run(main())


def test_no_job_waits_in_a_worker_for_a_long_run() -> None:
    """There it would count as begun: jobs are sent ahead of short runs only, and taken back from behind a long one."""

    async def main() -> None:
        d = dispatcher(jobs=True, max_size=2)
        worker = FakeWorker(d).ready()
        jobs = d.run_behind([b""] * d.room)
        worker.read()
        worker.start(2)
        assert (len(jobs), d.room) == (2, 0)
        worker.finish(run_s=0.01)
        jobs = d.run_behind([b""] * d.room)
        worker.read()
        worker.start(2)
        assert len(jobs) == 4
        await asyncio.sleep(0.4)
        worker.read()
        assert worker.recalled == [job.id for job in jobs[2:]]
        worker.give_back(worker.recalled)
        assert [type(job.outcome) for job in jobs] == [type(None)] * 2 + [NotRun] * 2
        assert d.room == 0
        worker.finish(run_s=0.4)
        assert d.room == 2
        request = d.submit(b"", now())
        await turns()
        worker.read()
        worker.start(1)
        assert d.room == 1  # beside a client's request
        worker.finish(run_s=0.4)
        assert (await request.wait()).status == 200
        d.run_behind([b""])
        worker.read()
        worker.start(1)
        assert d.room == 0  # though half of the batch is free
        worker.finish(run_s=0.4)

    run(main())


def test_a_job_that_runs_again_leaves_room_for_others() -> None:
    """Once what ran when its worker died has run alone, the worker has room for jobs again, though no client asks."""

    async def main() -> None:
        d = dispatcher(jobs=True)
        worker = FakeWorker(d).ready()
        (job,) = d.run_behind([b""])
        worker.read()
        worker.start(1)
        worker.die()
        other = FakeWorker(d).ready()
        await turns()
        other.read()
        other.start(1)
        assert (job.is_open, d.room) == (True, 0)
        other.finish()
        await turns()
        assert not job.is_open
        assert d.room > 0

    run(main())
