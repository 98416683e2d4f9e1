"""Every law over every pair of versions and a pairwise set of answers."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.laws import laws
from tests.laws.cases import case, rows, tags
from tests.laws.laws import Law
from tests.workshop import Workshop

AT_HOME = (laws.adding_one_by_one, laws.adding_and_removing_is_nothing, laws.setting_there_and_back_is_nothing)
"""The laws of changes that stay with a version."""
QUICKLY = 1
"""How many rows each law has, with each version on the way to the newest, where the rest is not asked for."""


def cases() -> Iterator[Any]:
    """Every law with every pair of versions and row; all but a few of the rows are marked as long."""
    updates, at_home, newest = list(combinations(tags(), 2)), [(tag, tag) for tag in tags()], tags()[-1]
    number = 0
    for law in laws.LAWS:
        for old, new in at_home if law in AT_HOME else [*updates, at_home[-1]]:
            number += QUICKLY
            quick = {(number + step) % rows() for step in range(QUICKLY)} if new == newest else set()
            for row in range(rows()):
                marks = [] if row in quick else [pytest.mark.long]
                name = f"{law.__name__}-{old.partition('+')[0]}-{new.partition('+')[0]}-{row}"
                yield pytest.param(law, old, new, row, id=name, marks=marks)


@pytest.mark.parametrize(("law", "old", "new", "row"), list(cases()))
def test_the_law_holds(law: Law, old: str, new: str, row: int, shop: Workshop, tmp_path: Path) -> None:
    """A project of these answers obeys it."""
    assert not list(law(case(shop, tmp_path, old, new, row)))
