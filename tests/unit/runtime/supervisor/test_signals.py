from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from litgen_runtime.supervisor import signals
from litgen_runtime.supervisor.signals import Events
from litgen_runtime.testing import FakeClock


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """Leave the process's signals as they were."""
    before = {number: signal.getsignal(number) for number in signals._WATCHED}
    wakeup = signal.set_wakeup_fd(-1)
    yield
    signal.set_wakeup_fd(wakeup)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Return the time that the events see."""
    clock = FakeClock(10.0)
    monkeypatch.setattr(signals, "time", SimpleNamespace(monotonic=clock))
    return clock


@pytest.fixture
def events(clock: FakeClock) -> Iterator[Events]:
    """Return the loop."""
    events = Events()
    yield events
    events._selector.close()
    for end in (events._reading, events._writing):
        os.close(end)


def test_signals_are_events(events: Events) -> None:
    """Signals come out of the loop, in order, in the main thread."""
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGHUP)
    assert list(events.wait()) == [signal.SIGTERM, signal.SIGHUP]


def test_due_timers(events: Events, clock: FakeClock) -> None:
    """What is due is done, earliest first; what is not stays."""
    done: list[str] = []
    for name, delay_s in (("second", 2.0), ("first", 1.0), ("also first", 1.0), ("later", 3.0)):
        events.later(delay_s, lambda name=name: done.append(name))  # type: ignore[misc]  # binds the name
    clock.advance(2.5)
    assert list(events.wait()) == []
    assert done == ["first", "also first", "second"]


def test_descriptors(events: Events) -> None:
    """What can be read is read, until it is forgotten; forgetting twice is fine."""
    reading, writing = os.pipe()
    seen = []
    try:
        os.write(writing, b"x")
        events.watch(reading, lambda: seen.append(os.read(reading, 1)))
        list(events.wait())
        assert seen == [b"x"]
        events.forget(reading)
        events.forget(reading)
    finally:
        os.close(reading)
        os.close(writing)


def test_nohup_is_respected(clock: FakeClock) -> None:
    """Where SIGHUP is ignored from outside, it stays ignored."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    events = Events()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    events._selector.close()
    for end in (events._reading, events._writing):
        os.close(end)
