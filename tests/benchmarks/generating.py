"""The generator: how long its commands take, beside copier on the same template."""

import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.environments import Environment
from tests.benchmarks.errors import BenchmarkError
from tests.benchmarks.works import ROOT

REQUIREMENTS = (str(ROOT),)
PACKAGES = ("litgen-generator", "copier", "click", "jinja2", "pydantic")

_NAME = "my-service"
_ANSWERS = Path(".copier-answers.yml")
_OURS = {".git", ".litgen"}


@dataclass
class Results:
    """Seconds of each command: one item a turn."""

    help_s: list[float] = field(default_factory=list)
    new_s: list[float] = field(default_factory=list)
    new_without_git_s: list[float] = field(default_factory=list)
    copier_s: list[float] = field(default_factory=list)


def measure(environment: Environment, turns: int) -> Results:
    """Time the commands in turn. A first round, in which the disk is read, does not count.

    Raises:
        BenchmarkError: If one of them fails, or litgen and copier do not write the same files.
    """
    results = Results()
    litgen, copier = str(environment.bin / "litgen"), str(environment.bin / "copier")
    with tempfile.TemporaryDirectory(prefix="litgen-bench-") as folder:
        root = Path(folder)
        bundle = root / "template.bundle"
        for turn in range(turns + 1):
            new, bare, copied = (root / f"{kind}-{turn}" for kind in ("new", "bare", "copied"))
            with_git = [litgen, "new", _NAME, "--defaults", "--output"]
            answers = ["--defaults", "--quiet", "--vcs-ref", "HEAD", "--data", f"service_name={_NAME}"]
            help_s = _timed([litgen, "--help"], root)
            new_s = _timed([*with_git, str(new)], root)
            bare_s = _timed([*with_git, str(bare), "--no-git"], root)
            if not turn:
                bundle.write_bytes((new / ".litgen" / bundle.name).read_bytes())
            copier_s = _timed([copier, "copy", *answers, str(bundle), str(copied)], root)
            if not turn:
                _compare(new, copied)
                continue
            results.help_s.append(help_s)
            results.new_s.append(new_s)
            results.new_without_git_s.append(bare_s)
            results.copier_s.append(copier_s)
    return results


def _timed(command: Sequence[str], folder: Path) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    elapsed = time.perf_counter() - began
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command)} failed with exit code {done.returncode}: {done.stderr}")
    return elapsed


def _compare(ours: Path, copied: Path) -> None:
    """The same work, or no comparison: both have the same files, but for what copier does not write."""
    differing = sorted(path.as_posix() for path in _files(ours) ^ _files(copied))
    differing += [p.as_posix() for p in _files(ours) - {_ANSWERS} if not differing and _differ(ours / p, copied / p)]
    if differing:
        raise BenchmarkError(f"litgen new and copier copy wrote different files: {', '.join(differing)}")


def _differ(one: Path, other: Path) -> bool:
    return one.read_bytes() != other.read_bytes()


def _files(folder: Path) -> set[Path]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path for path in found if path.parts[0] not in _OURS}
