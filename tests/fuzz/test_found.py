"""What the rounds have found, each once more by itself."""

from collections.abc import Callable
from pathlib import Path

import pytest

from litgen_generator.change.project import ANSWERS, SETTINGS
from litgen_generator.render import BUNDLE
from tests.fuzz.toml_edits import edited
from tests.workshop import Workshop, litgen

RANK = {"name": "rank", "framework": "python", "kind": "single"}


@pytest.fixture
def project(shop: Workshop, tmp_path: Path) -> Path:
    """A project of the newest version."""
    answers = {"service_name": "x", "endpoints": [RANK, {"name": "says", "framework": "python"}]}
    return shop.new(shop.versions()[-1], answers, tmp_path / "project")


def test_an_endpoint_made_by_hand_meets_no_conflict_in_the_readme(project: Path) -> None:
    """The README says nothing of it, then and later, and follows what else is changed beside its place."""
    settings = project / SETTINGS
    text = edited(settings.read_bytes(), "endpoint", 1.0, "t", "")
    settings.write_bytes(text.replace(b'path = "/says"', b'path = "/own/path"'))
    updated = litgen(project, "update")
    assert updated.code == 0, updated.error
    readme = (project / "README.md").read_text()
    assert "/own/path" in readme
    assert "by_hand" not in readme
    added = litgen(project, "add-endpoint", "added", "--endpoint", "framework=python")
    assert added.code == 0, added.error
    assert "/added" in (project / "README.md").read_text()


def test_an_endpoint_made_by_hand_keeps_no_old_project_from_an_update(shop: Workshop, tmp_path: Path) -> None:
    """Its answers say nothing that a template of old does not know."""
    oldest = shop.versions()[0]
    project = shop.new(oldest, {"service_name": "x", "endpoints": [RANK]}, tmp_path / "project")
    settings = project / SETTINGS
    settings.write_bytes(edited(settings.read_bytes(), "endpoint", 1.0, "t", ""))
    for command in (("set", "drain_timeout_s=60"), ("update",)):
        said = litgen(project, *command)
        assert said.code == 0, said.error


@pytest.mark.parametrize("damage", [lambda whole: whole[:-40], lambda whole: whole.replace(b"\n", b"\nmine\n", 1)])
def test_a_damaged_bundle_is_named(project: Path, damage: Callable[[bytes], bytes]) -> None:
    """Not what git says of it, but which file, and how it is put back."""
    (project / BUNDLE).write_bytes(damage((project / BUNDLE).read_bytes()))
    said = litgen(project, "update")
    assert said.code == 1
    assert f"{BUNDLE} is damaged" in said.error
    assert f"git checkout HEAD -- {BUNDLE}" in said.error


def test_answers_that_a_version_does_not_take_are_told(shop: Workshop, tmp_path: Path) -> None:
    """With what that version knows."""
    oldest = shop.versions()[0]
    project = shop.new(oldest, {"service_name": "x", "endpoints": [RANK]}, tmp_path / "project")
    said = litgen(project, "add-endpoint", "--endpoint", "name=says,kind=stream")
    assert said.code == 2
    assert said.error.startswith(
        f"template {oldest.tag}, which the project has, knows no kind 'stream'; expected one of"
    )


@pytest.mark.parametrize("path", [SETTINGS, ANSWERS])
def test_a_file_of_litgens_that_is_a_link_is_refused(project: Path, path: str) -> None:
    """What is merged by its content is not written through a link, nor in its place."""
    (project / path).rename(project / "elsewhere")
    (project / path).symlink_to("elsewhere")
    said = litgen(project, "update")
    assert said.code == 1
    assert f"{path} is a link to elsewhere; expected a file" in said.error
    assert (project / path).is_symlink()


def test_an_update_over_a_bundle_behind_a_link_is_undone(project: Path) -> None:
    """The link is back, and what it points to was there all the time."""
    (project / BUNDLE).rename(project / "elsewhere")
    (project / BUNDLE).symlink_to("../elsewhere")
    assert litgen(project, "update").code == 0
    undone = litgen(project, "undo")
    assert undone.code == 0, undone.error
    assert (project / BUNDLE).readlink() == Path("../elsewhere")
