"""A project whose bundle lacks the version that its answers name, as after a merge of two upgraded branches."""

from pathlib import Path

import pytest
import yaml

from litgen_generator.release import bundle
from tests.e2e.changing import Owner

BUNDLE = ".litgen/template.bundle"
BOOKS = ".copier-answers.yml"

pytestmark = pytest.mark.timeout(300)


def version(owner: Owner) -> str:
    """What the answers say."""
    return str(yaml.safe_load(owner.text(BOOKS))["_commit"])


def wheels(owner: Owner) -> list[str]:
    """The versions in vendor/."""
    return sorted(path.name.split("-")[1].partition("+")[0] for path in (owner.project / "vendor").glob("*.whl"))


@pytest.fixture
def merged(old_owner: Owner) -> Owner:
    """The answers and pyproject.toml of the branch with 0.3.0, the bundle of the other, both wheels."""
    old_owner.does("update", "--to", "0.2.0")
    other = (old_owner.project / BUNDLE).read_bytes()
    wheel = next((old_owner.project / "vendor").glob("*.whl"))
    runtime = wheel.read_bytes()
    old_owner.does("undo")
    old_owner.does("update", "--to", "0.3.0")
    (old_owner.project / BUNDLE).write_bytes(other)
    wheel.write_bytes(runtime)
    old_owner.commits("merged")
    return old_owner


def test_branches_that_were_upgraded_differently(merged: Owner) -> None:
    """Litgen has the version itself, says what is amiss, and mends it with the next change; the old wheel goes."""
    done = merged.litgen("status", "--check")
    assert done.returncode == 5, done.stdout + done.stderr
    assert f"{BUNDLE} does not hold v0.3.0" in done.stdout
    assert "vendor/litgen_runtime-0.2.0+vendored-py3-none-any.whl is of another version" in done.stdout
    assert "service.toml" not in done.stdout
    said = merged.does("update", "--to", "0.3.0")
    assert "delete    vendor/litgen_runtime-0.2.0+vendored-py3-none-any.whl" in said
    assert bundle.holds((merged.project / BUNDLE).read_bytes(), "v0.3.0")
    assert wheels(merged) == ["0.3.0"]
    merged.does("undo")
    assert wheels(merged) == ["0.2.0", "0.3.0"]
    merged.does("set", "drain_timeout_s=90")
    assert bundle.holds((merged.project / BUNDLE).read_bytes(), "v0.3.0")
    assert wheels(merged) == ["0.2.0", "0.3.0"]
    merged.does("update")
    assert merged.litgen("status", "--check").returncode == 0


@pytest.mark.parametrize("why", ["patched", "named"])
def test_a_wheel_that_is_the_owners_stays(merged: Owner, why: str) -> None:
    """One that is no release's, or that pyproject.toml names."""
    wheel = next((merged.project / "vendor").glob("litgen_runtime-0.2.0*"))
    if why == "patched":
        wheel.write_bytes(wheel.read_bytes() + b"\n")
    else:
        merged.writes("pyproject.toml", merged.text("pyproject.toml") + f"# vendor/{wheel.name}\n")
    merged.does("update", "--to", "0.3.0")
    assert wheels(merged) == ["0.2.0", "0.3.0"]


def test_a_version_that_nobody_has(merged: Owner) -> None:
    """It is said how the bundle is found again."""
    merged.edits(BOOKS, "_commit: v0.3.0", "_commit: v9.9.9")
    for command in (("update",), ("set", "drain_timeout_s=90"), ("template", "fetch")):
        said = merged.refused(*command)
        assert "v9.9.9" in said, said
    assert f"git checkout COMMIT -- {BUNDLE}" in merged.refused("set", "drain_timeout_s=90")
    assert f"git checkout COMMIT -- {BUNDLE}" in merged.litgen("status").stdout


def test_a_fetch_that_copier_has_used(old_owner: Owner) -> None:
    """It cannot be undone any more: the bundle before does not hold the version that the project has."""
    old_owner.does("template", "fetch", "--commit")
    old_owner.copier("--prereleases")
    old_owner.commits("updated")
    assert version(old_owner) != "v0.1.0"
    assert "cannot be undone" in old_owner.refused("undo")
    old_owner.does("set", "drain_timeout_s=90")


def test_undo_of_a_change_that_mended_the_bundle(merged: Owner) -> None:
    """All goes back but the bundle, which is good now."""
    before = merged.files()
    merged.does("set", "drain_timeout_s=90")
    good = (merged.project / BUNDLE).read_bytes()
    merged.does("undo")
    assert Path(merged.project / BUNDLE).read_bytes() == good
    assert {**merged.files(), BUNDLE: before[BUNDLE]} == before
