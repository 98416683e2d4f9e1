from __future__ import annotations

import sys
import threading
import time

import pytest

from litgen_runtime.worker.alarm import Alarm


@pytest.fixture(params=["linux", "darwin"])
def alarm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Alarm:
    """Return an alarm of a system's kind; the other one works here too."""
    if request.param != sys.platform and request.param == "linux":
        pytest.skip("timers of this kind are Linux's")
    monkeypatch.setattr(sys, "platform", request.param)
    return Alarm(0.05)


def heard(alarm: Alarm) -> threading.Event:
    """Return what is set once the alarm has gone off."""
    event = threading.Event()

    def listen() -> None:
        alarm.wait()
        event.set()

    threading.Thread(target=listen, daemon=True).start()
    return event


def test_goes_off(alarm: Alarm) -> None:
    """Who waits is woken, and not before it was set."""
    event = heard(alarm)
    assert not event.wait(0.1)
    alarm.set()
    assert event.wait(10.0)


def test_set_many_times(alarm: Alarm) -> None:
    """An alarm that nobody waits for blocks nobody."""
    for _ in range(20_000):
        alarm.set()
    assert heard(alarm).wait(10.0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's can be taken back")
def test_taken_back() -> None:
    """What was cleared in time does not go off."""
    alarm = Alarm(0.2)
    event = heard(alarm)
    alarm.set()
    alarm.clear()
    time.sleep(0.4)
    assert not event.is_set()
    alarm.set()
    assert event.wait(10.0)
