"""A short chaos; ``make soak`` has the long one."""

import os
from pathlib import Path

from tests.soak.chaos import chaos

SEED = "LITGEN_SOAK_SEED"


def test_every_job_ends_once_and_is_told_of_whatever_is_killed(tmp_path: Path) -> None:
    """Workers, the HTTP process, the supervisor: nothing acknowledged is lost, doubled, untold or told otherwise."""
    seed = int(os.environ.get(SEED, "3"))
    outcome = chaos(tmp_path, seed, 300, 4, say=print)
    assert not outcome.complaints, f"{SEED}={seed}"
    assert outcome.kills.total() == 4
