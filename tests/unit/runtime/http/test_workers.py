from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.dispatcher.ticket import NotRun
from litgen_runtime.http.lifecycle import Lifecycle, WorkerState
from litgen_runtime.http.workers import Workers
from litgen_runtime.testing import FakeClock
from litgen_runtime.transport.frames import Kind, Result, pack_json, pack_results
from tests.unit.runtime.fakes import run, turns
from tests.unit.runtime.mini import choices


class Home:
    """One place, and the HTTP process's view of it."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.lifecycle = Lifecycle([WorkerState(0, "embed[0]", "embed", "cpu")], FakeClock(1000.0))
        self.dispatcher = Dispatcher("embed", choices().endpoints["embed"], lambda *_: None)
        self.workers = Workers(self.lifecycle, {"embed": self.dispatcher}, self.told.append)
        self.ends: list[socket.socket] = []

    @property
    def place(self) -> WorkerState:
        """The one place."""
        return self.lifecycle.workers[0]

    async def start(self, process: int, *, spare: bool = False, loaded: bool = True) -> socket.socket:
        """Let a process appear; return its end of the line."""
        ours, theirs = socket.socketpair()
        self.ends.append(theirs)
        self.workers.adopt({"id": 0, "process": process, "spare": spare, "fd": ours.detach()})
        await turns()
        if loaded:
            theirs.send(pack_json(Kind.READY, b'{"load_s": 0.5}'))
            await turns(5)
        return theirs

    def gone(self, process: int, state: str | None, cause: str = "SIGKILL", error: str | None = None) -> None:
        """Let the supervisor say that a process has ended."""
        self.workers.gone({"process": process, "state": state, "cause": cause, "error": error})


@contextmanager
def home() -> Iterator[Home]:
    """A home whose sockets are closed in the end."""
    it = Home()
    try:
        yield it
    finally:
        for end in it.ends:
            end.close()


def at_home(test: Callable[[Home], Awaitable[None]]) -> None:
    """Run a test in a loop."""

    async def main() -> None:
        with home() as it:
            await test(it)
            for process in list(it.workers._known):
                it.gone(process, None)
            await turns(5)

    run(main())


def test_a_process_that_makes_no_sense(caplog: pytest.LogCaptureFixture) -> None:
    """One that answers what nobody asked it is named in the log and killed; what it held waits for the next one."""

    async def test(it: Home) -> None:
        end = await it.start(7)
        ticket = it.dispatcher.submit(b"{}", 1000.0)
        await turns()
        end.send(b"".join(pack_results([Result(ticket.id + 1, 200, 0.1, b"{}")])))
        await turns(5)
        assert it.told[-1] == {"do": "kill_worker", "process": 7, "cause": None}
        assert "embed[0]: what it sent makes no sense; it is killed and replaced" in caplog.text
        assert ticket.is_open
        it.gone(7, "backoff")
        await turns(5)
        end = await it.start(8)
        end.send(b"".join(pack_results([Result(ticket.id, 200, 0.1, b"{}")])))
        await turns(5)
        assert (await ticket.wait()).status == 200

    at_home(test)


def test_a_first_process() -> None:
    """It is said to load, then to be ready, to everybody."""

    async def test(it: Home) -> None:
        await it.start(7)
        assert it.place.state == "ready"
        assert it.told == [{"do": "worker_ready", "process": 7}]
        assert it.dispatcher.workers == 1

    at_home(test)


def test_the_last_process_has_ended() -> None:
    """Its line is cut, though something that it left behind holds the other end: a job is given back before the end."""

    async def test(it: Home) -> None:
        await it.start(7)
        (job,) = it.dispatcher.run_behind([b"{}"])
        it.dispatcher.drain.cut()
        it.dispatcher.drain.close()
        await turns(5)
        assert job.is_open
        it.workers.all_gone()
        await turns(5)
        assert isinstance(job.outcome, NotRun)

    at_home(test)


def test_no_descriptor() -> None:
    """A process that cannot be spoken with is of no use."""

    async def test(it: Home) -> None:
        it.workers.adopt({"id": 0, "process": 7, "spare": False, "fd": None})
        assert it.told == [{"do": "kill_worker", "process": 7, "cause": None}]

    at_home(test)


def test_a_replacement() -> None:
    """The place is ready from the first moment to the last, and two lines serve in between."""

    async def test(it: Home) -> None:
        old = await it.start(1)
        await it.start(2, spare=True, loaded=False)
        assert (it.place.state, it.dispatcher.workers) == ("ready", 1)
        it.ends[1].send(pack_json(Kind.READY, b'{"load_s": 1.5}'))
        await turns(5)
        assert (it.place.state, it.place.load_s, it.dispatcher.workers) == ("ready", 1.5, 2)
        it.workers.retire({"process": 1, "cause": "max_requests"})
        assert it.told[-1] == {"do": "worker_retired", "process": 1}
        await turns(5)
        assert old.recv(1) == b""
        assert (it.dispatcher.workers, it.place.recycles, it.place.restarts) == (1, 1, 0)
        it.gone(1, None, "exit code 0")
        assert it.place.state == "ready"
        assert it.dispatcher.stats.recycles == {"max_requests": 1}
        assert it.dispatcher.stats.deaths == {}

    at_home(test)


def test_a_retired_process_that_is_killed() -> None:
    """An old one that had to be killed is a death, but no loss of its place."""

    async def test(it: Home) -> None:
        await it.start(1)
        await it.start(2, spare=True)
        it.workers.retire({"process": 1, "cause": "max_memory"})
        it.gone(1, None, "SIGKILL")
        assert it.dispatcher.stats.deaths == {"SIGKILL": 1}
        assert (it.place.state, it.place.restarts) == ("ready", 0)

    at_home(test)


@pytest.mark.parametrize("state", ["restarting", "loading"])
def test_a_death(state: str) -> None:
    """The place does what the supervisor says, and keeps the cause."""

    async def test(it: Home) -> None:
        await it.start(1)
        it.gone(1, state, "exit code 0")
        assert (it.place.state, it.place.restarts, it.place.last_death) == (state, 1, "exit code 0")
        assert it.dispatcher.stats.deaths == {"exit code 0": 1}
        await turns(5)
        assert it.dispatcher.workers == 0

    at_home(test)


def test_a_replacement_that_cannot_load() -> None:
    """The error is kept, and the place stays what it is."""

    async def test(it: Home) -> None:
        await it.start(1)
        end = await it.start(2, spare=True, loaded=False)
        end.send(pack_json(Kind.FAILED, b'{"error": "no room", "final": false}'))
        await turns(5)
        assert it.told[-1] == {"do": "worker_failed", "process": 2, "error": "no room", "final": False}
        it.gone(2, None, "SIGKILL", "no room")
        assert (it.place.state, it.place.last_error, it.place.restarts) == ("ready", "no room", 0)

    at_home(test)


def test_news_of_a_process_that_is_gone() -> None:
    """Orders for a process that is not there any more, and a word that it left behind, mean nothing."""

    async def test(it: Home) -> None:
        end = await it.start(1, loaded=False)
        end.send(pack_json(Kind.READY, b'{"load_s": 0.5}'))
        it.gone(1, "restarting")
        await turns(5)
        it.workers.retire({"process": 1, "cause": "max_requests"})
        it.gone(1, "restarting")
        assert (it.place.state, it.place.restarts) == ("restarting", 1)
        assert it.told == []

    at_home(test)


def test_answered_and_busy() -> None:
    """Each process's answers are counted, and the present run is timed."""

    async def test(it: Home) -> None:
        await it.start(1)
        assert it.workers.answered() == [(1, 0)]
        assert it.workers.busy_for_s(0) is None
        it.dispatcher.submit(b"", 1000.0)
        await turns(5)
        assert it.workers.busy_for_s(0) is not None

    at_home(test)
