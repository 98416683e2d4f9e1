"""Running git: which git, with which surroundings, and what is said when it fails."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from litgen_generator.errors import LitgenError

OLDEST = (2, 32)
"""The first git that can be told, by GIT_CONFIG_GLOBAL, to read none of the owner's settings."""

OLDEST_TO_MERGE = (2, 38)
"""The first git that can merge without a working tree."""

OF_ONE_REPOSITORY = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_PARAMETERS",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NAMESPACE",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
"""Variables that mean one repository, and no other: `git rev-parse --local-env-vars`, and the namespace."""


def owner_environment() -> dict[str, str]:
    """The owner's environment without what a hook of another repository leaves in it."""
    return {key: value for key, value in os.environ.items() if key not in OF_ONE_REPOSITORY}


def neutral_environment() -> dict[str, str]:
    """The owner's environment without any git setting: what git does then is the same on every machine.

    Attributes for all repositories (`~/.config/git/attributes`) are read without any setting, unless one says not to.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_") or key == "GIT_EXEC_PATH"}
    none = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1"}
    attributes = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.attributesFile", "GIT_CONFIG_VALUE_0": os.devnull}
    return {**kept, **none, **attributes, "GIT_TERMINAL_PROMPT": "0"}


def run(*arguments: str | Path, cwd: Path, env: Mapping[str, str], stdin: bytes = b"", ok: Sequence[int] = (0,)) -> str:
    """Run git and give what it prints, as text without space around it.

    Raises:
        LitgenError: If git is not there or exits with a code that is not `ok`; with what it said.
    """
    return output(*arguments, cwd=cwd, env=env, stdin=stdin, ok=ok).decode(errors="replace").strip()


def output(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str], stdin: bytes = b"", ok: Sequence[int] = (0,)
) -> bytes:
    """Run git and give what it prints, byte for byte; otherwise as `run`."""
    command = ["git", *map(str, arguments)]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, its arguments never pass through a shell
            command, cwd=cwd, env=dict(env), input=stdin, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise LitgenError(
            f"git is not on the PATH; expected git {_text(OLDEST_TO_MERGE)} or newer. Install it."
        ) from None
    if done.returncode not in ok:
        said = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
        raise LitgenError(f"git failed: {said}")
    return done.stdout


def require(oldest: tuple[int, int] = OLDEST) -> None:
    """Make sure that git is there and new enough.

    Raises:
        LitgenError: If it is not, saying which one is wanted.
    """
    said = run("version", cwd=Path.cwd(), env=neutral_environment())
    numbers = re.search(r"(\d+)\.(\d+)", said)
    if numbers is None or tuple(map(int, numbers.groups())) < oldest:
        raise LitgenError(f"git is {said!r}; expected git {_text(oldest)} or newer. Upgrade it.")


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
