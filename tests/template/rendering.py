"""Rendering rows of the matrix as ``litgen new`` does, and running commands in what comes out."""

import fcntl
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from litgen_generator.answers.model import Answers
from litgen_generator.release.current import Template, current
from litgen_generator.render import render
from tests.template.matrix import Row

_OURS = ("PYTHONPATH", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST", "MAKEFLAGS", "MAKELEVEL", "LITGEN_CONFIG")


@dataclass(frozen=True)
class Render:
    """A rendered project and what it was rendered from."""

    answers: Row
    folder: Path

    @property
    def package(self) -> str:
        """The name of its Python package."""
        return str(self.answers["service_name"]).replace("-", "_")

    def file(self, path: str) -> Path:
        """Return a file of the project, which may or may not exist."""
        return self.folder / path

    def text(self, path: str) -> str:
        """Return what a file of the project says."""
        return self.file(path).read_text(encoding="utf-8")


def render_all(rows: Sequence[Row], folder: Path) -> list[Render]:
    """Render each row into a folder of its own, several at a time: copier changes its process's folder."""
    renders = [Render(row, folder / f"row_{i:02}") for i, row in enumerate(rows)]
    once(folder, lambda: _render_missing(renders))
    return renders


def once(folder: Path, make: Callable[[], None]) -> None:
    """Let one of pytest-xdist's workers make the folder's content, and the others wait for it."""
    folder.mkdir(parents=True, exist_ok=True)
    done = folder.with_name(folder.name + ".done")
    with folder.with_name(folder.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            make()
            done.touch()


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment as an owner has it, with the uv that is installed beside this Python."""
    env = {key: value for key, value in os.environ.items() if key not in _OURS}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    if "PIP_FIND_LINKS" in env:
        env.setdefault("UV_FIND_LINKS", env["PIP_FIND_LINKS"])
    return {**env, **(extra or {})}


def run(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """Run a command and return what it said; a failure shows it."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))[:200]} in {cwd} said:\n{done.stdout[-8000:]}"
    return done.stdout


def _render_missing(renders: Sequence[Render]) -> None:
    template = current()
    with ProcessPoolExecutor(
        max_workers=min(4, os.cpu_count() or 1), mp_context=multiprocessing.get_context("spawn")
    ) as pool:
        for _ in pool.map(_render, [template] * len(renders), renders, chunksize=4):
            pass


def _render(template: Template, one: Render) -> None:
    one.folder.mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        render(template, Answers.model_validate(one.answers).plain(), one.folder, Path(scratch))
