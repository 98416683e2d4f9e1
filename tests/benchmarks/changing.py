"""Changing a project: how long litgen's commands take beside plain `copier update` of the same project."""

import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.environments import Environment
from tests.benchmarks.errors import BenchmarkError
from tests.benchmarks.targets import Target, ratios

FILES = 60
"""The least number of files of the project, git's own not counted."""

ADD_TARGET, UPDATE_TARGET = 0.6, 0.7
_ENDPOINTS = 9
_BUNDLE = ".litgen/template.bundle"
_WHICH = (
    "from litgen_generator.release.carried import versions;"
    "print(*(f'{each.tag} {each.bundle}' for each in (versions()[0], versions()[-1])), sep='\\n')"
)


@dataclass
class Results:
    """Seconds of each command: one item a turn."""

    copier_update_s: list[float] = field(default_factory=list)
    add_endpoint_s: list[float] = field(default_factory=list)
    update_s: list[float] = field(default_factory=list)


def targets(results: Results) -> list[Target]:
    """What was promised of them."""
    return [
        Target(f"`litgen {name}` / `copier update`", bound, ratios(seconds, results.copier_update_s), most=True)
        for name, bound, seconds in (
            ("add-endpoint", ADD_TARGET, results.add_endpoint_s),
            ("update", UPDATE_TARGET, results.update_s),
        )
    ]


def measure(environment: Environment, turns: int) -> Results:
    """Time the commands in turn on a project of the first release. A first round does not count.

    Raises:
        BenchmarkError: If one of them fails.
    """
    results = Results()
    litgen, copier = str(environment.bin / "litgen"), str(environment.bin / "copier")
    with tempfile.TemporaryDirectory(prefix="litgen-bench-") as folder:
        root = Path(folder)
        said = _run([str(environment.python), "-c", _WHICH], root)
        (old, first), (new, last) = (line.split(" ", 1) for line in said.splitlines())
        project = _project(root / "project", copier, old, Path(first))
        both = _both(root / "both", Path(first), Path(last), new)
        update = [copier, "update", "--defaults", "--quiet", "--vcs-ref", new]
        for turn in range(turns + 1):
            add_s = _timed([litgen, "add-endpoint", "one_more", "--defaults"], project)
            _reset(project)
            update_s = _timed([litgen, "update"], project)
            _reset(project)
            (project / _BUNDLE).write_bytes(both.read_bytes())
            _commit(project)
            copier_s = _timed(update, project)
            _reset(project, "HEAD~1")
            if turn:
                results.add_endpoint_s.append(add_s)
                results.update_s.append(update_s)
                results.copier_update_s.append(copier_s)
    return results


def _project(folder: Path, copier: str, tag: str, bundle: Path) -> Path:
    """A project of a version, committed."""
    (folder / _BUNDLE).parent.mkdir(parents=True)
    (folder / _BUNDLE).write_bytes(bundle.read_bytes())
    endpoints = [{"name": f"endpoint_{number}"} for number in range(_ENDPOINTS)]
    data = {"service_name": "my-service", "endpoints": endpoints}
    (folder.parent / "answers.yml").write_text(json.dumps(data), encoding="utf-8")
    how = ["--defaults", "--overwrite", "--quiet", "--vcs-ref", tag, "--data-file", str(folder.parent / "answers.yml")]
    _run([copier, "copy", *how, _BUNDLE, "."], folder)
    count = sum(path.is_file() for path in folder.rglob("*"))
    if count < FILES:
        raise BenchmarkError(f"the project of {tag} has {count} files; expected at least {FILES}. Add endpoints.")
    _run(["git", "init", "--quiet"], folder)
    _commit(folder)
    return folder


def _both(folder: Path, first: Path, last: Path, newest: str) -> Path:
    """A bundle with both versions, as plain copier needs it."""
    _run(["git", "init", "--quiet", "--bare", str(folder)], folder.parent)
    for bundle in (first, last):
        _run(["git", "fetch", "--quiet", str(bundle), "+refs/tags/*:refs/tags/*"], folder)
    _run(["git", "update-ref", "--no-deref", "HEAD", f"{newest}^{{commit}}"], folder)
    _run(["git", "bundle", "create", "--quiet", str(folder / "both"), "HEAD", "--tags"], folder)
    return folder / "both"


def _commit(folder: Path) -> None:
    name = ["-c", "user.name=litgen", "-c", "user.email=litgen@localhost", "-c", "commit.gpgsign=false"]
    _run(["git", "add", "--force", "--all"], folder)
    _run(["git", *name, "commit", "--quiet", "--message", "as it is"], folder)


def _reset(folder: Path, to: str = "HEAD") -> None:
    """Have the files as they were committed."""
    _run(["git", "reset", "--quiet", "--hard", to], folder)
    _run(["git", "clean", "--quiet", "-d", "--force"], folder)


def _timed(command: Sequence[str], folder: Path) -> float:
    began = time.perf_counter()
    _run(command, folder)
    return time.perf_counter() - began


def _run(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command)} failed with exit code {done.returncode}: {done.stderr}")
    return done.stdout
