"""What these tests share."""

from collections.abc import Iterator

import pytest

from tests.services import Marked


@pytest.fixture
def marked() -> Iterator[Marked]:
    """A mark for processes that a test starts by itself; none may be left at its end."""
    mark = Marked()
    yield mark
    left = mark.leftovers()
    assert not left, f"still running after the test: {left}"
