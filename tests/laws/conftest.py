"""What the tests of the laws share: what is rendered, by whichever worker of pytest-xdist needs it first."""

import os
from collections.abc import Iterator

import pytest

from tests.workshop import Workshop


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """Where projects are made."""
    base = tmp_path_factory.getbasetemp()
    made = Workshop((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "workshop")
    with made.at_work():
        yield made
