"""Releases: one bundle for each version, never two contents of one version."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from litgen_generator.errors import LitgenError, UsageError
from litgen_generator.release import bundle
from litgen_generator.release.changelog import FILE as CHANGELOG
from litgen_generator.release.current import released
from litgen_generator.release.cut import cut
from litgen_generator.release.source import RELEASES, VERSION_FILES, Source
from tests.e2e.conftest import copy_sources, files
from tests.template.rendering import run

SECTION = "# Changelog\n\n## Unreleased\n\n- Something new.\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout of an unreleased version, without a release."""
    sources = copy_sources(tmp_path / "sources")
    for path in (sources / RELEASES).iterdir():
        path.unlink()
    (sources / CHANGELOG).write_text(SECTION)
    cut(sources, "0.1.0.dev0")
    run("git", "init", "--quiet", cwd=sources)
    run("git", "add", "--all", cwd=sources)
    return sources


def change(root: Path, path: str) -> None:
    """Edit a file, and write of it in the changelog."""
    (root / path).write_text(f"{(root / path).read_text()}\n# changed\n")
    (root / CHANGELOG).write_text(
        (root / CHANGELOG).read_text().replace("## Unreleased", "## Unreleased\n\n- More.", 1)
    )


def test_a_release_sets_the_version_everywhere(root: Path) -> None:
    """Generator, runtime, template and changelog say one version."""
    written = cut(root, "0.1.0")
    assert written == root / RELEASES / "v0.1.0.bundle"
    assert all('__version__ = "0.1.0"' in (root / path).read_text() for path in VERSION_FILES)
    assert "  default: 0.1.0+vendored\n" in (root / bundle.VERSION_FILE).read_text()
    assert re.search(
        r"## Unreleased\n\n## 0\.1\.0 - \d{4}-\d\d-\d\d\n\n- Something new", (root / CHANGELOG).read_text()
    )


def test_a_release_says_what_changed_beside_its_bundle(root: Path) -> None:
    """Its notes are its section of the changelog, and git is to hold them too."""
    cut(root, "0.1.0")
    notes = (root / RELEASES / "v0.1.0.md").read_text()
    assert re.fullmatch(r"Released on \d{4}-\d\d-\d\d\.\n\n- Something new\.\n", notes)


def test_a_bundle_is_one_commit_with_the_runtime_in_it(root: Path, tmp_path: Path) -> None:
    """A clone has one parentless commit under one tag, and the runtime's wheel of that very version."""
    written = cut(root, "0.1.0")
    assert written is not None
    run("git", "clone", "--quiet", written, "clone", cwd=tmp_path)
    clone = tmp_path / "clone"
    assert run("git", "rev-list", "--all", "--count", cwd=clone).strip() == "1"
    assert run("git", "tag", "--points-at", "HEAD", cwd=clone).strip() == "v0.1.0"
    assert (clone / "template/project/vendor/litgen_runtime-0.1.0+vendored-py3-none-any.whl").is_file()
    assert sorted(path.name for path in clone.iterdir()) == [".git", "copier.yml", "template"]


def test_the_same_sources_give_the_same_bundle(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither time, nor place, nor the owner's settings stand in a bundle."""
    bundle.build(Source(root), tmp_path / "one")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Eve")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    bundle.build(Source(root.rename(tmp_path / "elsewhere")), tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_version_is_released_once(root: Path) -> None:
    """The tag of a release never moves to another content."""
    cut(root, "0.1.0")
    change(root, "template/project/Makefile.jinja")
    with pytest.raises(LitgenError, match=r"0\.1\.0 was released already"):
        cut(root, "0.1.0")


def test_a_patch_release_may_change_the_runtime(root: Path) -> None:
    """A bug fix reaches a service as a new wheel and its pin."""
    cut(root, "0.1.0")
    change(root, "runtime_lib/litgen_runtime/__init__.py")
    assert cut(root, "0.1.1") is not None


def test_a_patch_release_may_not_change_the_template(root: Path) -> None:
    """What is refused leaves every file as it was."""
    cut(root, "0.1.0")
    change(root, "template/project/Makefile.jinja")
    before = files(root)
    with pytest.raises(LitgenError, match=r"changes template/project/Makefile\.jinja since 0\.1\.0"):
        cut(root, "0.1.1")
    assert files(root) == before


def test_a_minor_release_may_change_the_template(root: Path) -> None:
    """New files come with a minor version."""
    cut(root, "0.1.0")
    change(root, "template/project/Makefile.jinja")
    assert cut(root, "0.2.0") is not None


@pytest.mark.parametrize("ignored", ["", "*.tmp\n"])
def test_a_release_holds_what_is_committed(root: Path, ignored: str) -> None:
    """A file that no clone would have is refused, whether git ignores it or not."""
    (root / ".gitignore").write_text(ignored)
    (root / "template/project/notes.tmp").touch()
    with pytest.raises(LitgenError, match=r"does not track template/project/notes\.tmp"):
        cut(root, "0.1.0")


def test_a_release_says_what_changed(root: Path) -> None:
    """A changelog without a word about the release is refused."""
    (root / CHANGELOG).write_text("# Changelog\n\n## Unreleased\n\n## 0.0.1\n\n- Old.\n")
    with pytest.raises(LitgenError, match="nothing under"):
        cut(root, "0.1.0")


@pytest.mark.parametrize("version", ["", "1", "v0.1.0", "0.1.0rc1", "0.1.0+local"])
def test_a_version_has_three_numbers(root: Path, version: str) -> None:
    """Anything else is a usage error."""
    with pytest.raises(UsageError, match=r"expected X\.Y\.Z"):
        cut(root, version)


def spoil(root: Path) -> None:
    """Change the runtime after its release."""
    change(root, "runtime_lib/litgen_runtime/__init__.py")


def lose(root: Path) -> None:
    """Remove the release."""
    (root / RELEASES / "v0.1.0.bundle").unlink()


@pytest.mark.parametrize(("harm", "says"), [(spoil, "has changed since 0.1.0"), (lose, "v0.1.0.bundle is missing")])
def test_a_released_version_stands_for_one_content(root: Path, harm: Callable[[Path], None], says: str) -> None:
    """A version that was released is not built from other sources."""
    cut(root, "0.1.0")
    assert released(Source(root)).tag == "v0.1.0"
    harm(root)
    with pytest.raises(LitgenError, match=re.escape(says)):
        released(Source(root))
