"""Workers that are to get no more requests: replaced ones, and such as say that they end."""

from __future__ import annotations

import asyncio

import pytest

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.dispatcher.ticket import Ticket
from litgen_runtime.transport.frames import DROPPED, Kind, Result, pack_json
from tests.unit.runtime.fakes import FakeWorker, run, turns
from tests.unit.runtime.mini import choices


def dispatcher(max_size: int = 1, *, repeatable: bool = True) -> Dispatcher:
    """Return a dispatcher of batches of this size."""
    batching = {"max_size": max_size} if max_size > 1 else None
    return Dispatcher(
        "embed", choices(batching=batching, repeatable=repeatable).endpoints["embed"], lambda line, why: None
    )


def submit(d: Dispatcher, count: int) -> list[Ticket]:
    """Queue so many requests."""
    return [d.submit(b"%d" % n, asyncio.get_running_loop().time()) for n in range(count)]


def answer(worker: FakeWorker, max_size: int) -> None:
    """Let a worker answer two requests."""
    if max_size > 1:
        worker.start(2)
        worker.finish()
    else:
        worker.echo()


@pytest.mark.parametrize("max_size", [1, 4])
def test_a_retired_worker_finishes_what_it_holds(max_size: int) -> None:
    """It gets nothing new, answers what it has, and only then its line is closed and said to be."""

    async def main() -> None:
        d = dispatcher(max_size)
        old, done = FakeWorker(d).ready(), []
        first = submit(d, 2)
        await turns()
        old.line.retire(lambda: done.append(True))
        new = FakeWorker(d).ready()
        later = submit(d, 2)
        await turns()
        old.read()
        new.read()
        assert (len(old.waiting), len(new.waiting), d.workers) == (2, 2, 1)
        assert not done
        assert not old.transport.closed
        answer(old, max_size)
        assert done == [True]
        assert old.transport.closed
        answer(new, max_size)
        assert [ticket.result().status for ticket in first + later] == [200] * 4

    run(main())


def test_an_idle_worker_retires_at_once() -> None:
    """What holds nothing is done when it is told."""

    async def main() -> None:
        d = dispatcher()
        worker, done = FakeWorker(d).ready(), []
        worker.line.retire(lambda: done.append(True))
        assert done == [True]
        tickets = submit(d, 1)
        await turns()
        assert worker.read() == []
        assert d.queued == 1
        FakeWorker(d).ready()
        await turns()
        assert tickets[0].is_open
        assert d.queued == 0

    run(main())


def test_suspects_do_not_go_to_a_retired_worker() -> None:
    """What has to run alone goes to a worker that stays."""

    async def main() -> None:
        d = dispatcher()
        dying, retired, fresh = (FakeWorker(d).ready() for _ in range(3))
        submit(d, 1)
        await turns()
        holder = next(worker for worker in (dying, retired, fresh) if worker.read())
        other, last = (worker for worker in (dying, retired, fresh) if worker is not holder)
        other.line.load.retired = True  # as in the moment between its last answer and its end
        holder.die()
        await turns()
        assert other.read() == []
        assert len(last.read()) == 1

    run(main())


def test_answers_are_counted() -> None:
    """What has run counts, what was dropped does not."""

    async def main() -> None:
        d = dispatcher(4)
        worker = FakeWorker(d).ready()
        tickets = submit(d, 3)
        await turns()
        worker.read()
        worker.start(2)
        worker.finish()
        worker.answer([Result(tickets[2].id, DROPPED, 0.0, b"")])
        assert worker.line.answered == 2

    run(main())


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_worker_that_says_it_ends(repeatable: bool) -> None:
    """What it holds has not run and waits again, whether or not it may run twice; it gets nothing new meanwhile."""

    async def main() -> None:
        d = dispatcher(repeatable=repeatable)
        worker = FakeWorker(d).ready()
        tickets = submit(d, 2)
        await turns()
        worker.read()
        worker.line.note_running(asyncio.get_running_loop().time())
        worker.line.data_received(pack_json(Kind.ENDING, b"{}"))
        late = submit(d, 1)
        await turns()
        assert worker.read() == []
        worker.die()
        new = FakeWorker(d).ready()
        await turns()
        assert [run.id for run in new.read()] == [ticket.id for ticket in tickets]
        assert late[0].is_open
        assert [ticket.attempt for ticket in tickets] == [1, 1]

    run(main())
