from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime.supervisor.recycling import Recycling, Wear
from tests.unit.runtime.mini import choices


def recycling(**workers: object) -> Recycling:
    """Return the core for these choices."""
    return Recycling(choices(workers=workers).endpoints["embed"].workers, random.Random(1))


def test_nothing_wears_out_by_itself() -> None:
    """Without a choice nothing is ever replaced."""
    core = recycling()
    assert core.cause(Wear(core.new().requests, answered=10**9, resident=10**12, loaded_with=1)) is None


def test_by_requests() -> None:
    """A process is worn out once it has answered its share of requests."""
    core = recycling(max_requests=100)
    wear = core.new()
    assert wear.requests is not None
    wear.answered = wear.requests - 1
    assert core.cause(wear) is None
    wear.answered += 1
    assert core.cause(wear) == "max_requests"


@given(st.integers(1, 10**12), st.randoms(use_true_random=False))
def test_limits_differ_a_little(most: int, chance: random.Random) -> None:
    """Each process gets a limit of at most max_requests, and at least nine tenths of it."""
    core = Recycling(choices(workers={"max_requests": most}).endpoints["embed"].workers, chance)
    limit = core.new().requests
    assert limit is not None
    assert max(1, most * 0.9 - 1) <= limit <= most


def test_not_all_at_once() -> None:
    """Processes that start together are not worn out together."""
    core = recycling(max_requests=1000)
    assert len({core.new().requests for _ in range(8)}) > 4


def test_by_memory() -> None:
    """A process is worn out once it holds more than max_memory."""
    core = recycling(max_memory="2MB")
    assert core.cause(Wear(resident=2_000_000, loaded_with=1_000_000)) is None
    assert core.cause(Wear(resident=2_000_001, loaded_with=1_000_000)) == "max_memory"


def test_a_model_that_is_larger_than_max_memory() -> None:
    """What held too much from the start is not replaced for that, but for its requests."""
    core = recycling(max_memory="2MB", max_requests=1)
    wear = Wear(requests=1, resident=9_000_000, loaded_with=3_000_000)
    assert core.is_hopeless(wear)
    assert core.cause(wear) is None
    wear.answered = 1
    assert core.cause(wear) == "max_requests"


def test_later_and_later() -> None:
    """Replacements that cannot load are tried ever more rarely, and at once again after a success."""
    core = recycling(max_requests=1)
    assert core.may_begin(0.0)
    delays = [core.failed(100.0) for _ in range(9)]
    assert delays == [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 600.0, 600.0, 600.0]
    assert not core.may_begin(699.9)
    assert core.may_begin(700.0)
    core.succeeded()
    assert core.failed(1000.0) == 10.0


@pytest.mark.parametrize(
    ("workers", "watches"), [({}, False), ({"max_requests": 1}, False), ({"max_memory": "1GB"}, True)]
)
def test_memory_is_watched_only_when_asked(workers: dict[str, object], watches: bool) -> None:
    """Nobody reads /proc each second for nothing."""
    assert recycling(**workers).watches_memory is watches
