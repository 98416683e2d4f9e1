"""What the tests of the template share: its renders, and one environment with all that they need."""

import os
from pathlib import Path

import pytest

from tests.template import matrix
from tests.template.rendering import Render, once, render_all, run


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of pytest-xdist have in common."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def renders(shared_folder: Path) -> list[Render]:
    """Every row of the matrix, rendered."""
    return render_all(matrix.rendered(), shared_folder / "renders")


@pytest.fixture(scope="session")
def bin_folder(renders: list[Render], shared_folder: Path) -> Path:
    """The commands of an environment with the dependencies and tools that a render with torch asks for."""
    venv = shared_folder / "environment"
    project = next(each for each in renders if '"torch==' in each.text("pyproject.toml"))

    def make() -> None:
        run("uv", "venv", "--quiet", "--allow-existing", venv, cwd=project.folder)
        run(
            *("uv", "pip", "install", "--python", venv),
            *("-r", "pyproject.toml", "--extra", "dev", "types-pyyaml"),
            cwd=project.folder,
        )

    once(venv, make)
    return venv / "bin"
