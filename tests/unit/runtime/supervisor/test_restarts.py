from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime.supervisor.restarts import Restarts


def test_so_many_restarts_and_no_more() -> None:
    """A place that never got ready gives up when it has been started again max_restarts times."""
    restarts = Restarts(max_restarts=3)
    assert [restarts.ended() for _ in range(4)] == [0.5, 1.0, 2.0, None]
    assert Restarts(max_restarts=0).ended() is None


def test_a_place_that_has_served_never_gives_up() -> None:
    """No client can stop a service: deaths after the first success only slow the restarts down."""
    restarts = Restarts()
    restarts.ready()
    delays = [restarts.ended() for _ in range(10)]
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0]


def test_ready_starts_over() -> None:
    """Once a replacement is ready, the next end waits the shortest time again."""
    restarts = Restarts()
    restarts.ready()
    restarts.ended()
    restarts.ended()
    restarts.ready()
    assert restarts.ended() == 0.5


@given(st.lists(st.booleans(), max_size=2000))
def test_history(events: list[bool]) -> None:
    """In any history the delay is from half a second to half a minute, and None only without any success."""
    restarts, served = Restarts(), False
    for ready in events:
        if ready:
            restarts.ready()
            served = True
        else:
            delay = restarts.ended()
            assert delay is None or 0.5 <= delay <= 30.0
            if served:
                assert delay is not None


def test_thousands_of_deaths() -> None:
    """The count may grow for years without an overflow."""
    restarts = Restarts(served=True, failures=1000)
    assert restarts.ended() == 30.0
