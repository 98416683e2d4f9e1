"""Which projects the laws are tried on: every pair of versions with every row of answers."""

from functools import cache
from pathlib import Path
from typing import Any

from litgen_generator.answers.model import Answers
from litgen_generator.release import carried
from tests.laws.laws import Case
from tests.template import matrix
from tests.workshop import Workshop


@cache
def tags() -> list[str]:
    """The versions, oldest first."""
    return [each.tag for each in carried.versions()]


def rows() -> int:
    """How many rows of answers there are."""
    return len(matrix.changed())


def case(shop: Workshop, folder: Path, old: str, new: str, row: int) -> Case:
    """The project of a row; its other answers are the next row's, as far as the old version takes them."""
    templates = {each.tag: each for each in shop.versions()}
    known = matrix.changed()
    given, others = (shop.accepted(templates[old], _in_full(known[index % len(known)])) for index in (row, row + 1))
    return Case(shop, folder, templates[old], templates[new], given, others)


def _in_full(row: matrix.Row) -> dict[str, Any]:
    return Answers.model_validate(row).plain()
