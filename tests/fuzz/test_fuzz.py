"""A few rounds with fixed seeds: the same in each run. `make fuzz` plays many more, with others each time."""

from pathlib import Path

import pytest

from tests.fuzz import rounds
from tests.fuzz.plan import scenario
from tests.workshop import Workshop

ROUNDS, PARTS = 40, 4


@pytest.mark.parametrize("part", range(PARTS))
def test_no_line_of_the_owners_is_lost(part: int, tmp_path: Path, shop: Workshop) -> None:
    """Whatever was edited and whichever command follows: everything that `checks` holds."""
    for seed in range(part, ROUNDS, PARTS):
        plan = scenario(seed, shop)
        outcome = rounds.tried(shop, tmp_path / "round", plan)
        assert not outcome.complaints, f"python -m tests.fuzz --seed {seed} --rounds 1\n{plan.told()}"
