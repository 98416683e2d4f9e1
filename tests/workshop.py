"""Projects that litgen makes and changes, in this very process; what a version renders is rendered once and kept."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import yaml
from click.testing import CliRunner

from litgen_generator import render
from litgen_generator.change import engine
from litgen_generator.change.project import ANSWERS
from litgen_generator.change.snapshot import rendered
from litgen_generator.change.trees import Entry
from litgen_generator.cli import command
from litgen_generator.errors import LitgenError
from litgen_generator.release import carried
from litgen_generator.release.current import Template
from litgen_generator.render import Job

Answers = Mapping[str, Any]
Tree = dict[str, Entry]

WORST_EXIT = 70
"""The exit code of what is no error of litgen's: a traceback, for whoever sits at the terminal."""

_GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "owner@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}
_REFUSED = re.compile(r"endpoints\[(\d+)\]\.(\w+) is ")


class Said(NamedTuple):
    """How a command of litgen ended, and what it said."""

    code: int
    out: bytes
    error: str


def litgen(project: Path, *arguments: str) -> Said:
    """Run a command in a project's folder, as a script would: there is nobody to ask."""
    with contextlib.chdir(project):
        ended = CliRunner().invoke(command, arguments)
    if ended.exception is None or isinstance(ended.exception, SystemExit):
        return Said(ended.exit_code, ended.stdout_bytes, ended.stderr)
    if isinstance(ended.exception, LitgenError):
        return Said(ended.exception.exit_code, ended.stdout_bytes, str(ended.exception))
    place = ended.exc_info[2] if ended.exc_info else None
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "somewhere"
    return Said(WORST_EXIT, ended.stdout_bytes, f"{ended.exception!r} at {where}")


def git(folder: Path, *arguments: str) -> bytes:
    """Run git as the owner does, without anybody's settings."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(["git", *arguments], cwd=folder, env={**env, **_GIT}, capture_output=True, check=False)
    assert done.returncode == 0, f"git {' '.join(arguments)} in {folder} said: {done.stderr.decode(errors='replace')}"
    return done.stdout


def tree_of(project: Path) -> Tree:
    """Every file of a project but git's own, ignored ones too: mode and content, of links where they point."""
    found: Tree = {}
    for folder, folders, files in os.walk(project):
        here = Path(folder)
        if here == project and ".git" in folders:
            folders.remove(".git")
        for name in (*files, *(each for each in folders if (here / each).is_symlink())):
            path = here / name
            mode = oct(path.lstat().st_mode)
            content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            found[path.relative_to(project).as_posix()] = Entry(mode, content)
    return found


def answers_of(project: Path) -> dict[str, Any]:
    """The answers that a project keeps."""
    known = yaml.safe_load((project / ANSWERS).read_bytes())
    return {key: value for key, value in known.items() if not key.startswith("_")}


class Workshop:
    """Makes projects of every version.

    Args:
        folder: Where renders are kept; several processes may share it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._trees: dict[str, Tree] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def versions(self) -> list[Template]:
        """Every version that this litgen has, oldest first."""
        return carried.versions()

    def pairs(self) -> list[tuple[Template, Template]]:
        """Each version with each newer one."""
        versions = self.versions()
        return [(old, new) for index, old in enumerate(versions) for new in versions[index + 1 :]]

    def render(self, template: Template, answers: Answers) -> Path:
        """The folder of what a version gives for these answers.

        Raises:
            LitgenError: If it refuses them.
        """
        bundle = hashlib.sha256(template.bundle.read_bytes()).hexdigest()
        spelled = json.dumps([template.tag, bundle, answers], sort_keys=True)
        place = self.folder / hashlib.sha256(spelled.encode()).hexdigest()[:24]
        refusal = place.with_suffix(".refused")
        if refusal.exists():
            raise LitgenError(refusal.read_text(encoding="utf-8"))
        if not place.exists():
            with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
                try:
                    (made,) = render.render_all([Job(template, answers)], Path(scratch) / "made")
                except LitgenError as error:
                    refusal.write_text(str(error), encoding="utf-8")
                    raise
                with contextlib.suppress(OSError):  # another process was faster
                    made.rename(place)
        return place

    def tree(self, template: Template, answers: Answers) -> Tree:
        """What a version gives for these answers, as git keeps it."""
        place = self.render(template, answers)
        if place.name not in self._trees:
            self._trees[place.name] = rendered(place)
        return self._trees[place.name]

    def accepted(self, template: Template, answers: Answers) -> Answers:
        """The answers without what this version refuses or does not know of an endpoint."""
        while True:
            try:
                self.render(template, answers)
            except LitgenError as error:
                found = _REFUSED.search(str(error))
                if found is None:
                    raise
                endpoints = [dict(each) for each in answers["endpoints"]]
                del endpoints[int(found[1])][found[2]]
                answers = {**answers, "endpoints": endpoints}
            else:
                return answers

    def new(self, template: Template, answers: Answers, project: Path) -> Path:
        """Make a project with its first commit."""
        source = self.render(template, answers)
        prepared = source.with_suffix(".committed")
        if not prepared.exists():
            with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
                first = Path(shutil.copytree(source, Path(scratch) / "first", symlinks=True))
                git(first, "init", "--quiet", "--template=")
                git(first, "add", "--all", "--force")
                git(first, "commit", "--quiet", "--message", "As litgen made it")
                with contextlib.suppress(OSError):
                    first.rename(prepared)
        return Path(shutil.copytree(prepared, project, symlinks=True))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Have litgen's commands take what is rendered already."""
        with mock.patch.object(engine, "render_all", self._render_all):
            yield

    def _render_all(self, jobs: Sequence[Job], folder: Path) -> list[Path]:
        del folder
        return [self.render(*job) for job in jobs]
