"""A project's own bundle: plain copier upgrades it, offline, wherever it was moved."""

import sys
from pathlib import Path

from tests.e2e.conftest import Workplace, files


def test_plain_copier_updates_a_new_project(workplace: Workplace) -> None:
    """New, then `copier update`: nothing to do, nothing changed, no network, no question."""
    project = workplace.new("svc")
    done = workplace.run(sys.executable, "-m", "copier", "update", "--defaults", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "Keeping template version" in done.stderr
    assert workplace.git("status", "--porcelain", cwd=project) == ""


def test_a_moved_project_can_still_be_updated(workplace: Workplace) -> None:
    """The recorded address of the template is relative to the project."""
    moved = workplace.new("svc").rename(workplace.root / "moved")
    done = workplace.run(
        *(sys.executable, "-m", "copier", "update", "--defaults", "--data", "drain_timeout_s=120.0"), cwd=moved
    )
    assert done.returncode == 0, done.stderr
    assert "drain_timeout_s = 120.0" in (moved / "service.toml").read_text()
    assert workplace.git("diff", "--name-only", "--diff-filter=U", cwd=moved) == ""


def test_a_clone_has_all_that_an_update_needs(workplace: Workplace) -> None:
    """The bundle comes through git as it was."""
    project = workplace.new("svc")
    workplace.git("clone", "--quiet", str(project), "clone", cwd=workplace.folder)
    assert files(workplace.folder / "clone") == files(project)
    done = workplace.run(sys.executable, "-m", "copier", "update", "--defaults", cwd=Path(workplace.folder, "clone"))
    assert done.returncode == 0, done.stderr
