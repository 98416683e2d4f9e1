"""One environment for each contender, made by uv, with the newest versions that it takes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.errors import BenchmarkError
from tests.benchmarks.works import ROOT

FOLDER = ROOT / ".litgen-cache" / "benchmarks"
"""Where they stand; git ignores it."""


@dataclass(frozen=True)
class Environment:
    """An installed environment."""

    bin: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.bin / "python"

    def versions(self, packages: Sequence[str]) -> str:
        """The installed versions of some of its packages."""
        listed = json.loads(_uv("pip", "list", "--quiet", "--format", "json", "--python", str(self.python)))
        installed = {package["name"]: package["version"] for package in listed}
        return ", ".join(f"{name} {installed[name]}" for name in packages)


def make(name: str, requirements: Sequence[str]) -> Environment:
    """Make an environment anew. What stands in this repository is built anew, too.

    Raises:
        BenchmarkError: If uv is missing or cannot install the requirements.
    """
    folder = FOLDER / name
    if folder.exists():
        shutil.rmtree(folder)
    _uv("venv", "--quiet", "--python", sys.executable, str(folder))
    environment = Environment(folder / "bin")
    ours = ["--reinstall-package", "litgen-runtime", "--reinstall-package", "litgen-generator"]
    target = ["--quiet", "--compile-bytecode", "--python", str(environment.python)]
    _uv("pip", "install", *target, *ours, *requirements)
    return environment


def _uv(*arguments: str) -> str:
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    uv = shutil.which("uv", path=places)
    if uv is None:
        raise BenchmarkError("uv is not on the PATH; expected it for the peers' environments. Run: pip install uv")
    done = subprocess.run([uv, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"uv {' '.join(arguments)} failed; see what it says:\n{done.stderr.strip()}")
    return done.stdout
