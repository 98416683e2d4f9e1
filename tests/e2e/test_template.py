"""Versions, and a newer one fetched for plain copier to upgrade a project from."""

import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from litgen_generator.release.carried import is_released, versions
from litgen_generator.release.current import CARRIED, current
from tests.e2e.conftest import Workplace, files

BUNDLE = ".litgen/template.bundle"
COPIER = (sys.executable, "-m", "copier")


def old_project(workplace: Workplace, folder: str) -> Path:
    """A project that the first release has made, as it stands in its owner's repository."""
    project = workplace.folder / folder
    (project / ".litgen").mkdir(parents=True)
    (project / BUNDLE).write_bytes((CARRIED / "v0.1.0.bundle").read_bytes())
    answers = workplace.root / "answers.yml"
    answers.write_text(yaml.safe_dump({"service_name": "svc", "endpoints": [{"name": "embed"}]}))
    made = workplace.run(
        *(*COPIER, "copy", "--quiet", "--defaults", "--data-file", answers, "--vcs-ref", "v0.1.0", BUNDLE, "."),
        cwd=project,
    )
    assert made.returncode == 0, made.stderr
    root = workplace.folder / Path(folder).parts[0]
    for command in (("init", "--quiet"), ("add", "--force", "--all"), ("commit", "--quiet", "--message", "mine")):
        workplace.git(*command, cwd=root)
    return project


def copier_update(workplace: Workplace, project: Path) -> None:
    """Plain copier, as `litgen template fetch` says to type it; it has to succeed without a conflict."""
    unreleased = () if is_released(current().tag) else ("--prereleases",)
    done = workplace.run(*COPIER, "update", *unreleased, "--defaults", cwd=project)
    assert done.returncode == 0, done.stderr
    assert workplace.git("diff", "--name-only", "--diff-filter=U", cwd=project) == ""
    assert not list(project.rglob("*.rej"))


@pytest.mark.parametrize("folder", ["svc", "many/services/svc"])
def test_plain_copier_upgrades_from_what_was_fetched(workplace: Workplace, folder: str) -> None:
    """Fetch, commit, `copier update`: the project is what the newest version makes of its answers."""
    project = old_project(workplace, folder)
    done = workplace.litgen("template", "fetch", "--commit", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "Before you deploy v0.2.0" in done.stdout
    assert workplace.git("status", "--porcelain", cwd=project) == ""
    assert workplace.git("show", "--name-only", "--format=", cwd=project).endswith(BUNDLE)

    copier_update(workplace, project)

    fresh = workplace.folder / "fresh"
    made = workplace.litgen("new", "--answers", workplace.root / "answers.yml", "--defaults", "--output", fresh)
    assert made.returncode == 0, made.stderr
    upgraded, new = files(project), files(fresh)
    spelled_otherwise = {BUNDLE, ".copier-answers.yml"}
    assert {path for path in upgraded.keys() | new.keys() if upgraded.get(path) != new.get(path)} == spelled_otherwise
    answers = yaml.safe_load((project / ".copier-answers.yml").read_text())
    assert answers["_commit"] == current().tag
    status = json.loads(workplace.litgen("status", "--json", cwd=project).stdout)
    assert status["edited"] == status["deleted"] == status["conflicts"] == []


def test_the_next_steps_are_said_and_work(workplace: Workplace) -> None:
    """Without --commit nothing is committed; what is to be typed is said, from where it is typed."""
    project = old_project(workplace, "svc")
    done = workplace.litgen("template", "fetch", cwd=project / "src")
    assert done.returncode == 0, done.stderr
    steps = done.stdout.partition("Next:\n")[2].splitlines()
    assert [step.split()[0] for step in steps] == ["cd", "git", "copier"]
    assert workplace.git("status", "--porcelain", cwd=project) == f"M {BUNDLE}"
    script = " && ".join(steps).replace("copier update", f"{' '.join(COPIER)} update")
    done = workplace.run("sh", "-c", script, cwd=project / "src")
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load((project / ".copier-answers.yml").read_text())["_commit"] == current().tag


def test_fetching_twice_is_fetching_once(workplace: Workplace) -> None:
    """The second run finds everything there, and writes nothing; it still commits if it is asked to."""
    project = old_project(workplace, "svc")
    assert workplace.litgen("template", "fetch", cwd=project).returncode == 0
    before = (project / BUNDLE).stat()
    again = workplace.litgen("template", "fetch", "--commit", cwd=project)
    assert again.returncode == 0, again.stderr
    assert "held v0.1.0, the project's own, and" in again.stdout
    assert (project / BUNDLE).stat().st_mtime_ns == before.st_mtime_ns
    assert workplace.git("status", "--porcelain", cwd=project) == ""


def test_only_the_bundle_is_committed(workplace: Workplace) -> None:
    """What the owner has staged or edited stays as it is."""
    project = old_project(workplace, "svc")
    (project / "Makefile").write_text("# mine\n")
    (project / "staged").touch()
    workplace.git("add", "staged", cwd=project)
    done = workplace.litgen("template", "fetch", "--commit", cwd=project)
    assert done.returncode == 0, done.stderr
    assert workplace.git("show", "--name-only", "--format=", cwd=project) == BUNDLE
    assert workplace.git("status", "--porcelain", cwd=project).splitlines() == ["M Makefile", "A  staged"]


def test_a_fetch_can_be_undone(workplace: Workplace) -> None:
    """Like every change that litgen makes."""
    project = old_project(workplace, "svc")
    before = files(project)
    assert workplace.litgen("template", "fetch", cwd=project).returncode == 0
    done = workplace.litgen("undo", cwd=project)
    assert done.returncode == 0, done.stderr
    assert files(project) == before


def test_a_lost_bundle_is_mended(workplace: Workplace) -> None:
    """The version that the project has is taken from litgen's own."""
    project = old_project(workplace, "svc")
    (project / BUNDLE).unlink()
    done = workplace.litgen("template", "fetch", "--commit", cwd=project)
    assert done.returncode == 0, done.stderr
    copier_update(workplace, project)


def test_the_newest_needs_nothing(workplace: Workplace) -> None:
    """A project of today is left alone."""
    project = workplace.new("svc")
    before = files(project)
    done = workplace.litgen("template", "fetch", "--commit", cwd=project)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"The project has {current().tag}, the newest: {BUNDLE} needs no change.\n"
    assert files(project) == before


def test_a_project_of_a_newer_litgen_is_refused(workplace: Workplace) -> None:
    """Nobody goes back by fetching."""
    project = workplace.new("svc")
    answers = project / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(f"_commit: {current().tag}", "_commit: v9.0.0"))
    done = workplace.litgen("template", "fetch", cwd=project)
    assert done.returncode == 1
    assert "pip install --upgrade litgen-generator" in done.stderr


def test_outside_a_project_there_is_nothing_to_fetch_for(workplace: Workplace) -> None:
    """It says where to go."""
    done = workplace.litgen("template", "fetch")
    assert done.returncode == 1
    assert "is in no project of litgen" in done.stderr


def test_versions_are_listed_with_what_they_changed(workplace: Workplace) -> None:
    """Oldest first, with date and first words; the project's own is marked."""
    done = workplace.litgen("versions", cwd=old_project(workplace, "svc"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line[2:].split()[0] for line in lines] == [each.tag for each in versions()]
    assert [line[0] for line in lines] == ["*", *" " * (len(lines) - 1)]
    assert lines[0].endswith("  2026-11-21  The first release")


def test_versions_outside_a_project_mark_none(workplace: Workplace) -> None:
    """There is nothing to mark."""
    told = json.loads(workplace.litgen("versions", "--json").stdout)
    assert told["project"] is None
    assert [each["version"] for each in told["versions"]] == [each.tag for each in versions()]
    assert told["versions"][0]["released"] == "2026-11-21"
    assert not any(each["is_projects"] for each in told["versions"])


def test_a_version_of_the_projects_own_is_listed_too(workplace: Workplace) -> None:
    """A build that this litgen does not have is told apart."""
    project = workplace.new("svc")
    answers = project / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(f"_commit: {current().tag}", "_commit: v0.0.1.dev0+vendored.1"))
    done = workplace.litgen("versions", cwd=project)
    assert re.match(r"\* v0\.0\.1\.dev0\+vendored\.1 +is this project's", done.stdout.splitlines()[-1])
