"""A project's own bundle: plain copier upgrades it, offline, wherever it was moved."""

import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from litgen_generator.release.current import CARRIED, current
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


@pytest.mark.parametrize("kind", ["batch", "single"])
def test_a_project_of_the_first_release_becomes_one_of_today(workplace: Workplace, kind: str) -> None:
    """Old answers are still good: the update asks nothing, meets no conflict, and leaves the owner's model alone."""
    both = workplace.root / "both"
    workplace.git("clone", "--quiet", str(CARRIED / "v0.1.0.bundle"), str(both), cwd=workplace.folder)
    project = workplace.folder / "svc"
    (workplace.folder / "answers.yml").write_text(
        yaml.safe_dump({"service_name": "svc", "endpoints": [{"name": "embed", "kind": kind}]})
    )
    copier = (sys.executable, "-m", "copier")
    made = workplace.run(
        *copier, "copy", "--quiet", "--defaults", "--data-file", "answers.yml", "--vcs-ref", "v0.1.0", both, project
    )
    assert made.returncode == 0, made.stderr
    model = project / "src/svc/endpoints/embed/model.py"
    model.write_text(f"{model.read_text()}\n\nMINE = 1\n")
    for command in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "mine")):
        workplace.git(*command, cwd=project)
    template = current()
    workplace.git("fetch", "--quiet", "--tags", str(template.bundle), cwd=both)
    before = model.read_text()

    updated = workplace.run(*copier, "update", "--defaults", "--vcs-ref", template.tag, cwd=project)

    assert updated.returncode == 0, updated.stderr
    assert workplace.git("diff", "--name-only", "--diff-filter=U", cwd=project) == ""
    assert not list(project.rglob("*.rej"))
    assert model.read_text() == before
    assert "prometheus.io/scrape" in (project / "deploy/kubernetes/base/deployment.yaml").read_text()
    (wheel,) = (project / "vendor").glob("*.whl")
    assert (
        wheel.name
        in tomllib.loads((project / "pyproject.toml").read_text())["tool"]["uv"]["sources"]["litgen-runtime"]["path"]
    )
