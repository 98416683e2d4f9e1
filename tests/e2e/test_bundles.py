"""Several versions in one bundle."""

from pathlib import Path

import pytest

from litgen_generator.errors import LitgenError
from litgen_generator.release import bundle
from litgen_generator.release.current import CARRIED
from tests.template.rendering import run

BOTH = {tag: CARRIED / f"{tag}.bundle" for tag in ("v0.1.0", "v0.2.0")}


def test_each_version_is_a_commit_of_its_own(tmp_path: Path) -> None:
    """A clone has both tags on the commits that the releases have, neither with a parent, and the last as its HEAD."""
    bundle.join(BOTH, tmp_path / "both")
    run("git", "clone", "--quiet", "both", "clone", cwd=tmp_path)
    clone = tmp_path / "clone"
    for tag, path in BOTH.items():
        commit = run("git", "rev-parse", tag, cwd=clone).strip()
        assert commit == bundle.refs(path)[f"refs/tags/{tag}"] == bundle.refs(tmp_path / "both")[f"refs/tags/{tag}"]
    assert run("git", "rev-list", "--all", "--count", "--max-parents=0", cwd=clone).strip() == "2"
    assert run("git", "rev-list", "--all", "--count", cwd=clone).strip() == "2"
    assert run("git", "tag", "--points-at", "HEAD", cwd=clone).strip() == "v0.2.0"


def test_the_same_versions_give_the_same_bundle(tmp_path: Path) -> None:
    """Two projects that fetch the same have the same file; what is joined can be joined again."""
    bundle.join(BOTH, tmp_path / "one")
    bundle.join(BOTH, tmp_path / "two")
    bundle.join(dict.fromkeys(BOTH, tmp_path / "one"), tmp_path / "three")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert bundle.refs(tmp_path / "one") == bundle.refs(tmp_path / "three")


def test_a_version_that_a_bundle_lacks_is_told(tmp_path: Path) -> None:
    """Nothing is written then."""
    with pytest.raises(LitgenError, match=r"v0\.9\.0"):
        bundle.join({"v0.9.0": CARRIED / "v0.1.0.bundle"}, tmp_path / "joined")
    assert not (tmp_path / "joined").exists()
