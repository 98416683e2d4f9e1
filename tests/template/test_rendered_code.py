"""The Python of every render: what ruff, its formatter and mypy say, and how much of it there is."""

from pathlib import Path

import pytest

from tests.template.rendering import Render, run

OWNERS = ("model.py", "schemas.py")
PYTHON_LINES = 30


@pytest.fixture(scope="module")
def root(renders: list[Render]) -> Path:
    """The folder that all renders are in; each brings the settings of its tools."""
    return renders[0].folder.parent


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ruff_finds_nothing(root: Path, bin_folder: Path) -> None:
    """Every render passes its own ruff rules as it comes."""
    run(bin_folder / "ruff", "check", "--no-cache", ".", cwd=root)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_formatter_changes_nothing(root: Path, bin_folder: Path) -> None:
    """Every render is formatted as it comes, with short and with long names."""
    run(bin_folder / "ruff", "format", "--check", "--no-cache", ".", cwd=root)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_mypy_strict_finds_nothing(root: Path, bin_folder: Path) -> None:
    """Every render's types are strict; all are checked in one go, as packages side by side."""
    said = run(
        *(bin_folder / "mypy", "--strict", "--explicit-package-bases", "--namespace-packages"),
        *("--cache-dir", root.with_name("mypy-cache"), "--config-file", "row_00/pyproject.toml", "."),
        cwd=root,
    )
    assert f"no issues found in {len(list(root.rglob('*.py')))} source files" in said


def test_what_is_not_the_owners_is_short(renders: list[Render]) -> None:
    """Generated Python that is neither model, schema nor test stays under 30 lines in a project."""
    for each in renders:
        ours = [path for path in each.file("src").rglob("*.py") if path.name not in OWNERS]
        assert sum(len(path.read_text().splitlines()) for path in ours) < PYTHON_LINES
