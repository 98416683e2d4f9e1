"""A short soak; ``make soak`` runs the long one."""

import os
from pathlib import Path

import pytest

from tests.soak.soak import soak

SEED = "LITGEN_SOAK_SEED"


@pytest.mark.timeout(240)
def test_every_request_is_answered_once_whatever_happens(tmp_path: Path) -> None:
    """Kills, hangs, floods, slow clients and clients that leave: no request is lost, doubled or mixed up, no leak."""
    seed = int(os.environ.get(SEED, "3"))
    outcome = soak(tmp_path, seed, 320, say=print)
    assert not outcome.complaints, f"{SEED}={seed}"
