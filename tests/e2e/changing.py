"""An owner and a repository that is changed by `litgen`: what the tests of changes share."""

import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from tests.e2e.conftest import Workplace

ANSWERS = ("--endpoint", "name=embed", "--endpoint", "name=rank,kind=single,framework=python")
OLD = "v0.1.0"

_MAKE_OLD = """
import sys, tempfile
from pathlib import Path
from litgen_generator.release.carried import template_of
from litgen_generator.render import render
with tempfile.TemporaryDirectory() as scratch:
    endpoints = [{"name": "embed", "framework": "python"}, {"name": "rank", "framework": "python"}]
    answers = {"service_name": "svc", "endpoints": endpoints}
    render(template_of(sys.argv[1]), answers, Path(sys.argv[2]), Path(scratch))
"""

Files = Mapping[str, tuple[str, bytes]]
"""Paths, and of each what it is (with its permissions) and holds."""


@dataclass
class Owner:
    """A person with a repository that litgen has made."""

    workplace: "Workplace"
    project: Path

    def litgen(self, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run litgen in the repository."""
        return self.workplace.litgen(*arguments, cwd=cwd or self.project)

    def does(self, *arguments: str | Path) -> str:
        """Run litgen in the repository, which has to succeed; what it says."""
        done = self.litgen(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, *arguments: str | Path, code: int = 1) -> str:
        """Run litgen in the repository, which has to refuse in a sentence and change nothing; the sentence."""
        before = self.files()
        done = self.litgen(*arguments)
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stderr.startswith("litgen: "), done.stderr
        assert "Traceback" not in done.stderr
        assert self.files() == before
        return done.stderr

    def copier(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run plain `copier update` in the repository, which has to succeed."""
        command = (sys.executable, "-m", "copier", "update", "--defaults", *arguments)
        done = self.workplace.run(*command, cwd=self.project)
        assert done.returncode == 0, done.stderr
        return done

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        """What git says in the repository; it has to succeed."""
        return self.workplace.git(*arguments, cwd=cwd or self.project)

    def commits(self, message: str = "mine") -> None:
        """Commit all."""
        self.git("add", "--force", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def text(self, path: str) -> str:
        """What a file says."""
        return (self.project / path).read_text(encoding="utf-8")

    def writes(self, path: str, text: str) -> None:
        """Write a file, and the folders that it is in."""
        place = self.project / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def edits(self, path: str, old: str, new: str) -> None:
        """Replace what is there once."""
        text = self.text(path)
        assert text.count(old) == 1, f"{old!r} is in {path} {text.count(old)} times"
        self.writes(path, text.replace(old, new))

    def files(self, root: Path | None = None) -> Files:
        """Every file outside of git's folder."""
        root = root or self.project
        return dict(_files(root, (path for path in root.rglob("*") if ".git" not in path.relative_to(root).parts)))

    def running(self) -> list[psutil.Process]:
        """The processes of this owner that still run, but for git's own housekeeping."""
        return [each for each in psutil.process_iter() if _home(each) == str(self.workplace.home)]

    def waits_for_silence(self, patience_s: float = 20.0) -> None:
        """Wait until nothing of this owner runs any more; it has to end by itself."""
        deadline = time.monotonic() + patience_s
        while running := self.running():
            assert time.monotonic() < deadline, [process.cmdline() for process in running]
            time.sleep(0.02)


def make_today(workplace: "Workplace") -> None:
    """A repository as `litgen new` makes it."""
    workplace.new("svc", *ANSWERS)


def make_old(workplace: "Workplace") -> None:
    """A repository as the first release made it, committed."""
    project = workplace.folder / "svc"
    project.mkdir()
    made = workplace.run(sys.executable, "-c", _MAKE_OLD, OLD, project)
    assert made.returncode == 0, made.stderr
    for command in (("init", "--quiet"), ("add", "--force", "--all"), ("commit", "--quiet", "--message", "new")):
        workplace.git(*command, cwd=project)


def copied(project: Path, target: Path) -> Path:
    """The same repository elsewhere, its files as old as they were."""
    return Path(shutil.copytree(project, target, symlinks=True))


def _files(root: Path, paths: Iterable[Path]) -> Iterable[tuple[str, tuple[str, bytes]]]:
    for path in paths:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            yield path.relative_to(root).as_posix(), ("link", os.fsencode(path.readlink()))
        elif stat.S_ISREG(mode):
            yield path.relative_to(root).as_posix(), (stat.filemode(mode), path.read_bytes())
        else:
            yield path.relative_to(root).as_posix(), (stat.filemode(mode), b"")


def _home(process: psutil.Process) -> str | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.environ().get("HOME")
    except psutil.Error:
        return None
