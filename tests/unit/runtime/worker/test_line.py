from __future__ import annotations

import math
import os
import random
import resource
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from litgen_runtime.transport.frames import FrameReader, Kind, Run, pack_amounts, pack_ids, pack_runs, unpack_results
from litgen_runtime.worker.codec import Codec
from litgen_runtime.worker.inbox import Arrival
from litgen_runtime.worker.line import Line
from litgen_runtime.worker.outbox import Outbox
from tests.services import eventually
from tests.unit.runtime.mini import Answer, Ask


class Raising(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def refuse(cls, value: str) -> str:
        raise KeyError(value)


class Recorder:
    """Work that is never done."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.cancelled: list[int] = []
        self.recalled: list[int] = []
        self.amounts: list[tuple[int, int]] = []
        self.closed = threading.Event()

    def add(self, arrivals: Sequence[Arrival]) -> None:
        self.arrivals += arrivals

    def cancel(self, keys: Sequence[int]) -> None:
        self.cancelled += keys

    def recall(self, keys: Sequence[int]) -> None:
        self.recalled += keys

    def allow(self, amounts: Sequence[tuple[int, int]]) -> None:
        self.amounts += amounts

    def close(self) -> None:
        self.closed.set()


class Trial:
    """A line over a socketpair, its work and its outbox."""

    def __init__(self, request: type[BaseModel], weigh: Any, *, beside: bool) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.settimeout(10.0)
        self.work = Recorder()
        codec = Codec(request, Answer)
        self.outbox = Outbox(self.theirs, codec)
        self.outbox.start()
        self.line = Line(self.theirs, codec, weigh, self.work, self.outbox)
        self.line_reads = not beside
        if beside:
            self.line.start(beside=True)

    def send(self, *runs: Run) -> None:
        self.ours.sendall(b"".join(pack_runs(runs)))

    def end(self) -> None:
        """Let the line read to its end."""
        self.ours.shutdown(socket.SHUT_WR)
        assert self.work.closed.wait(10.0)
        self.outbox.finish()

    def answers(self, count: int) -> list[tuple[int, int]]:
        """Return the ids and statuses of so many answers."""
        reader = FrameReader()
        found: list[tuple[int, int]] = []
        while len(found) < count:
            for frame in reader.feed(self.ours.recv(65_536)):
                found += [(result.id, result.status) for result in unpack_results(frame)]
        return found


@pytest.fixture
def trials() -> Iterator[Any]:
    """Return what makes trials, whose sockets are closed in the end."""
    made: list[Trial] = []

    def make(request: type[BaseModel] = Ask, weigh: Any = lambda _: 0.0, *, beside: bool = True) -> Trial:
        made.append(Trial(request, weigh, beside=beside))
        return made[-1]

    yield make
    for trial in made:
        trial.ours.close()
        while not trial.work.closed.wait(0.0 if trial.line_reads else 10.0):
            trial.line.read(0.1)
        trial.theirs.close()


def test_requests_are_decoded_and_weighed(trials: Any) -> None:
    """A frame of requests becomes decoded requests, in order."""
    trial = trials(weigh=lambda ask: len(ask.text))
    trial.send(*(Run(i, math.inf, b'{"text": "%d"}' % i) for i in (1, 20)))
    trial.end()
    assert trial.work.arrivals == [
        Arrival(1, Ask(text="1"), math.inf, 1.0),
        Arrival(20, Ask(text="20"), math.inf, 2.0),
    ]


def test_bad_request_is_answered_alone(trials: Any) -> None:
    """A body that the request type refuses is answered without running, and its neighbours run."""
    trial = trials()
    trial.send(Run(1, math.inf, b"{"), Run(2, math.inf, b'{"text": ""}'))
    trial.end()
    assert [arrival.id for arrival in trial.work.arrivals] == [2]
    assert trial.answers(1) == [(1, 400)]


def test_validator_that_raises(trials: Any) -> None:
    """An owner's validator that breaks is a 500 for that request; the reader lives on."""
    trial = trials(Raising)
    trial.send(Run(1, math.inf, b'{"text": "a"}'), Run(2, math.inf, b'{"text": "b"}'))
    trial.end()
    assert trial.answers(2) == [(1, 500), (2, 500)]


def test_weight_that_raises(trials: Any) -> None:
    """An owner's ``weight`` that breaks is a 500 for that request alone."""
    trial = trials(weigh=lambda ask: 1 / len(ask.text))
    trial.send(Run(1, math.inf, b'{"text": ""}'), Run(2, math.inf, b'{"text": "b"}'))
    trial.end()
    assert trial.answers(1) == [(1, 500)]
    assert [arrival.id for arrival in trial.work.arrivals] == [2]


def test_words_about_what_runs(trials: Any) -> None:
    """Cancellations and allowances reach the work."""
    trial = trials()
    trial.ours.sendall(pack_ids(Kind.CANCEL, [1, 2]) + pack_amounts([(3, 4096)]))
    trial.end()
    assert (trial.work.cancelled, trial.work.amounts) == ([1, 2], [(3, 4096)])


def test_end_of_the_line(trials: Any) -> None:
    """When the other end is gone, the work is told."""
    trial = trials()
    trial.ours.close()
    assert trial.work.closed.wait(10.0)
    trial.outbox.finish()


def ask(key: int) -> Run:
    """Return a request."""
    return Run(key, math.inf, b'{"text": ""}')


def ids(trial: Trial) -> list[int]:
    """Return what has arrived."""
    return [arrival.id for arrival in trial.work.arrivals]


def _has(trial: Trial, key: int) -> bool:
    return key in ids(trial)


def test_the_running_thread_reads_by_itself(trials: Any) -> None:
    """While it has nothing to run it takes what comes, one frame or several, and is told of the end."""
    trial = trials(beside=False)
    trial.send(ask(1))
    trial.line.read()
    assert ids(trial) == [1]
    trial.line.read(0.001)
    assert ids(trial) == [1], "a window that passes is no arrival"
    trial.ours.shutdown(socket.SHUT_WR)
    trial.line.read()
    assert trial.work.closed.is_set()


def test_another_one_stands_in_during_a_long_run(trials: Any) -> None:
    """What comes while the running thread is busy is read all the same; then it takes its turn again."""
    trial = trials(beside=False)
    trial.line.start(beside=False)
    for key in range(1, 9, 2):
        trial.send(ask(key))
        while not _has(trial, key):
            trial.line.read()
        trial.send(ask(key + 1))
        assert eventually(partial(_has, trial, key + 1)), "nobody reads during the run"
    assert ids(trial) == list(range(1, 9))


def test_an_owner_with_many_files(trials: Any) -> None:
    """A line whose descriptors have large numbers waits, for a while and for good, like any other."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2048, limits[1]), limits[1]))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1024)]
    try:
        trial = trials(beside=False)
        assert trial.theirs.fileno() >= 1024
        trial.line.start(beside=False)
        trial.line.read(0.001)
        assert ids(trial) == []
        trial.send(ask(1))
        trial.line.read(10.0)
        trial.send(ask(2))
        assert eventually(partial(_has, trial, 2)), "nobody reads during the run"
        trial.line.read()
        trial.send(ask(3))
        trial.line.read()
        assert ids(trial) == [1, 2, 3]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for file in files:
            os.close(file)


def test_what_was_read_in_between_is_not_waited_for(trials: Any) -> None:
    """The running thread looks again at what came after its last look, rather than wait for more."""
    trial = trials(beside=False)
    trial.line.start(beside=False)
    trial.send(ask(1))
    trial.line.read()
    trial.send(ask(2))
    assert eventually(partial(_has, trial, 2))
    began = time.monotonic()
    trial.line.read(10.0)  # comes back, though nothing more is sent
    assert time.monotonic() - began < 5.0, "slept until its window passed"
    trial.send(ask(3))
    trial.line.read()
    assert ids(trial) == [1, 2, 3]


def test_the_running_thread_waits_for_who_stands_in(trials: Any) -> None:
    """After a long run the other one still reads: a window passes, and what comes wakes the running thread."""
    trial = trials(beside=False)
    trial.line.start(beside=False)
    trial.send(ask(1))
    trial.line.read()
    time.sleep(0.05)  # a long run
    trial.line.read(0.001)
    assert ids(trial) == [1]
    for key in (2, 3):
        threading.Timer(0.05, trial.send, [ask(key)]).start()
        while not _has(trial, key):
            trial.line.read()
    assert ids(trial) == [1, 2, 3]


def test_no_arrival_is_slept_through(trials: Any) -> None:
    """However runs and arrivals fall together, each arrival comes to a thread that waits, though nothing follows."""
    trial = trials(beside=False)
    trial.line.start(beside=False)
    dice = random.Random(1)
    for key in range(200):
        threading.Timer(dice.uniform(0.0, 0.012), trial.send, [ask(key)]).start()
        time.sleep(dice.choice([0.0, dice.uniform(0.004, 0.012)]))
        began = time.monotonic()
        while not _has(trial, key):
            trial.line.read(10.0)
        assert time.monotonic() - began < 5.0, "slept until its window passed"
    assert ids(trial) == list(range(200))


def test_the_end_during_a_long_run(trials: Any) -> None:
    """Who stands in tells of the end too."""
    trial = trials(beside=False)
    trial.line.start(beside=False)
    trial.send(ask(1))
    trial.line.read()
    trial.ours.close()
    assert trial.work.closed.wait(10.0)
