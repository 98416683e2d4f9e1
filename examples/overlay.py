"""Makes an example as a person would: ``litgen new`` with its answers, then the owner's files and edits on top."""

import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Example:
    """One service of this folder.

    Args:
        name: Its folder's name, and the service's.
        answers: What ``litgen new`` is told.
        patch: The owner's edits of generated files, for ``git apply``.
        files: The owner's own files, relative to the project.
    """

    name: str
    answers: Path
    patch: Path
    files: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it is committed."""
        return HERE / self.name

    @property
    def new_command(self) -> list[str]:
        """The command that renders it into ./NAME."""
        return [
            *(sys.executable, "-m", "litgen_generator", "new", self.name),
            *("--answers", str(self.answers), "--defaults", "--yes"),
        ]

    def render(self, parent: Path, *options: str) -> Path:
        """Run ``litgen new`` in a folder, and return the project's."""
        command = [*self.new_command, *options]
        subprocess.run(command, cwd=parent, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - this Python, our code
        return parent / self.name

    def put_owners_files(self, project: Path) -> None:
        """Put the owner's work on top of a render."""
        for name in self.files:
            target = project / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.folder / name, target)
        subprocess.run(  # noqa: S603 - a fixed program and a file of this folder
            ["git", "apply", "--allow-empty", str(self.patch)],  # noqa: S607 - whichever git is on the PATH
            cwd=project,
            env={**os.environ, "GIT_CEILING_DIRECTORIES": str(project.parent)},
            check=True,
        )


def examples() -> dict[str, Example]:
    """Return the examples by name, as owners.toml lists them."""
    tables = tomllib.loads((HERE / "owners.toml").read_text(encoding="utf-8"))
    return {
        name: Example(name, HERE / table["answers"], HERE / table["patch"], tuple(table["files"]))
        for name, table in tables.items()
    }
