from __future__ import annotations

import pytest

from tests.soak.plan import KINDS, draw


def test_a_seed_says_it_all() -> None:
    """The same seed draws the same events, another one others."""
    assert draw(5, 500) == draw(5, 500)
    assert draw(5, 500) != draw(6, 500)


@pytest.mark.parametrize("count", [0, 1, 10, 300, 10_000])
def test_every_kind_happens(count: int) -> None:
    """There are as many events as asked for, of every kind where there is room for that."""
    events = draw(1, count)
    assert [event.number for event in events] == list(range(count))
    assert count < len(KINDS) or {event.kind for event in events} == set(KINDS)
    assert all(event.endpoint in KINDS[event.kind][1] for event in events)


@pytest.mark.parametrize("seed", range(20))
def test_the_http_process_dies_early(seed: int) -> None:
    """Who serves the second half is never killed, so that its growth can be seen."""
    events = draw(seed, 1000)
    assert not [event for event in events[500:] if event.kind == "kill-http"]
    assert [event for event in events[:500] if event.kind == "kill-http"]
