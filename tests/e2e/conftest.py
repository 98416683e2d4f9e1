"""What the end-to-end tests share: the command itself, in a home of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.changing import Owner, copied, make_old, make_today
from tests.template.rendering import once

ROOT = Path(__file__).parents[2]
IDENTITY = "[user]\n  name = Ada\n  email = ada@example.org\n"


@dataclass
class Workplace:
    """An owner's machine: a home, a place for temporary files, and a folder to work in."""

    root: Path
    command: tuple[str, ...] = (sys.executable, "-m", "litgen_generator")
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the folders, and give git a name."""
        for folder in (self.home, self.temporary, self.folder):
            folder.mkdir(parents=True)
        (self.home / ".gitconfig").write_text(IDENTITY)

    @property
    def home(self) -> Path:
        """The home folder."""
        return self.root / "home"

    @property
    def temporary(self) -> Path:
        """The place for temporary files."""
        return self.root / "tmp"

    @property
    def folder(self) -> Path:
        """The folder to work in."""
        return self.root / "work"

    @property
    def env(self) -> dict[str, str]:
        """The owner's environment."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "XDG_", "COPIER_"))}
        return {**kept, "HOME": str(self.home), "TMPDIR": str(self.temporary), "NO_COLOR": "1", **self.extra}

    def litgen(self, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command without a terminal."""
        return self.run(*self.command, *arguments, cwd=cwd)

    def new(self, name: str, *arguments: str | Path) -> Path:
        """Make a project, which has to succeed, and give its folder."""
        done = self.litgen("new", name, "--defaults", *arguments)
        assert done.returncode == 0, done.stderr
        return self.folder / name

    def run(self, *command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program as the owner would, without a terminal."""
        return subprocess.run(
            [str(word) for word in command],
            cwd=cwd or self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def git(self, *arguments: str, cwd: Path) -> str:
        """What git says in a folder; it has to succeed."""
        done = self.run("git", *arguments, cwd=cwd)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command in a process group of its own, to be sent signals."""
        return subprocess.Popen(
            [*self.command, *arguments],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def leftovers(self) -> list[str]:
        """What lies in the folder and in the place for temporary files."""
        return sorted(path.name for folder in (self.folder, self.temporary) for path in folder.iterdir())

    def fake_git(self, script: str) -> None:
        """Put a shell script before the real git, which it can call as `real-git`."""
        real = self.run("which", "git").stdout.strip()
        folder = self.root / "bin"
        folder.mkdir()
        (folder / "real-git").symlink_to(real)
        (folder / "git").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "git").chmod(0o755)
        self.extra["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """An owner's machine, new for each test."""
    return Workplace(tmp_path / "machine")


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of pytest-xdist have in common."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture
def owner(workplace: Workplace, shared_folder: Path) -> Iterator[Owner]:
    """The owner of a new repository with two endpoints; nothing of theirs runs on after the test."""
    yield from _owner(workplace, shared_folder / "today", make_today)


@pytest.fixture
def old_owner(workplace: Workplace, shared_folder: Path) -> Iterator[Owner]:
    """The owner of a repository of the first release with the same endpoints."""
    yield from _owner(workplace, shared_folder / "old", make_old)


def _owner(workplace: Workplace, shared: Path, make: Callable[[Workplace], None]) -> Iterator[Owner]:
    once(shared, lambda: make(Workplace(shared / "machine")))
    owner = Owner(workplace, copied(shared / "machine" / "work" / "svc", workplace.folder / "svc"))
    yield owner
    owner.waits_for_silence()


def copy_sources(target: Path) -> Path:
    """A source folder as from an archive: no git, no caches."""
    target.mkdir()
    for path in ("CHANGELOG.md", "LICENSE", "README.md", "copier.yml", "hatch_build.py", "pyproject.toml"):
        shutil.copy2(ROOT / path, target / path)
    for path in ("generator", "runtime_lib", "template"):
        shutil.copytree(ROOT / path, target / path, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    return target


def files(folder: Path) -> Mapping[str, bytes]:
    """The content of every file of a project but git's own."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }
