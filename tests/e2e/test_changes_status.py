"""What `litgen status --check` finds out of step, beyond what a command would change."""

import pytest

from tests.e2e.changing import Owner

DEPLOYMENT = "deploy/kubernetes/base/deployment.yaml"

pytestmark = pytest.mark.timeout(300)


def test_what_is_out_of_step(owner: Owner) -> None:
    """A value that is no answer, and a manifest that gives less time than a drain takes; more is the owner's choice."""
    owner.edits(DEPLOYMENT, "terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 60 # mine")
    assert owner.litgen("status", "--check").returncode == 0
    owner.edits(DEPLOYMENT, "terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 31")
    text = owner.text("service.toml")
    owner.writes("service.toml", text.replace("\ntimeout_s = 30.0", '\ntimeout_s = "soon"', 1))
    done = owner.litgen("status", "--check")
    assert done.returncode == 5, done.stdout
    assert 'timeout_s is "soon" in service.toml, but as an answer it is refused' in done.stdout
    assert f"{DEPLOYMENT}: terminationGracePeriodSeconds is 31 s" in done.stdout
    assert "expected at least 45 s" in done.stdout
