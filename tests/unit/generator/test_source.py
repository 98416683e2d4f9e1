"""The sources of a release, and the version that their content gives them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from litgen_generator._version import __version__
from litgen_generator.release.bundle import VERSION_FILE
from litgen_generator.release.source import VERSION_FILES, Source

ROOT = Path(__file__).parents[3]
BUILT = ("runtime_lib/dist/a.whl", "runtime_lib/build/a", "runtime_lib/litgen_runtime.egg-info/PKG-INFO")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small checkout."""
    for path, content in {
        "copier.yml": "a",
        "template/one.txt": "b",
        "runtime_lib/code.py": "c",
        VERSION_FILES[0]: '__version__ = "1.2.3.dev4"\n',
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    return tmp_path


def edit(root: Path) -> None:
    """Change a byte."""
    (root / "template" / "one.txt").write_text("B")


def rename(root: Path) -> None:
    """Change a name."""
    (root / "template" / "one.txt").rename(root / "template" / "two.txt")


def split(root: Path) -> None:
    """Move a byte from the end of a file to a new one after it."""
    (root / "template" / "one.txt").write_text("")
    (root / "template" / "one.txt0").write_text("b")


def make_executable(root: Path) -> None:
    """Change a mode."""
    (root / "template" / "one.txt").chmod(0o755)


@pytest.mark.parametrize("harm", [edit, rename, split, make_executable])
def test_any_change_changes_the_digest(root: Path, harm: Callable[[Path], None]) -> None:
    """Bytes, names, borders of files and modes all count."""
    before = Source(root).digest
    harm(root)
    assert Source(root).digest != before


def test_what_tools_leave_behind_does_not_count(root: Path) -> None:
    """Running the code does not change its version."""
    before = Source(root).digest
    for path in ("runtime_lib/__pycache__/code.pyc", "runtime_lib/.mypy_cache/x", "template/.DS_Store", *BUILT):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).touch()
    assert Source(root).digest == before


def test_an_unreleased_version_carries_its_digest(root: Path) -> None:
    """Two contents never share a version, which pip and uv would take for the same."""
    source = Source(root)
    assert source.runtime_version == f"1.2.3.dev4+vendored.{source.digest[:8]}"
    assert source.tag == f"v{source.runtime_version}"


def test_a_released_version_is_plain(root: Path) -> None:
    """The tag of a release is the version that people speak of."""
    (root / VERSION_FILES[0]).write_text('__version__ = "1.2.3"\n')
    source = Source(root)
    assert (source.runtime_version, source.tag) == ("1.2.3+vendored", "v1.2.3")


def test_generator_runtime_and_template_have_one_version() -> None:
    """The version stands in three places, and is the same in all."""
    assert all(f'__version__ = "{__version__}"' in (ROOT / path).read_text() for path in VERSION_FILES)
    assert f"  default: {__version__}+vendored\n" in (ROOT / VERSION_FILE).read_text()
