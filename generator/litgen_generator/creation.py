"""A new project: rendered, committed and put in its place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from litgen_generator import git
from litgen_generator.answers.model import Answers
from litgen_generator.errors import DeclinedError, LitgenError
from litgen_generator.release.current import current
from litgen_generator.render import render
from litgen_generator.staging import clashes, place, staging

FALLBACK_NAME = "litgen"
FALLBACK_EMAIL = "litgen@localhost"


@dataclass(frozen=True)
class Order:
    """What `litgen new` was asked to make.

    Args:
        answers: What the service is to be.
        target: The project's folder.
        commit: Whether to make a repository with a first commit, unless one is there.
    """

    answers: Answers
    target: Path
    commit: bool = True


@dataclass(frozen=True)
class Created:
    """What was made.

    Args:
        files: How many files.
        committed: Whether there is a first commit of them.
        is_anonymous: Whether git knew no name or address to put on it.
    """

    files: int
    committed: bool
    is_anonymous: bool


def check_target(target: Path, *, force: bool) -> None:
    """Make sure that a project can be put there.

    Raises:
        LitgenError: If the folder is not empty, or is no folder, or has nowhere to be.
    """
    if not target.parent.is_dir():
        raise LitgenError(f"{target.parent} is no folder; expected one to put the project in. Create it first.")
    if not target.exists() and not target.is_symlink():
        return
    if not target.is_dir():
        raise LitgenError(f"{target} is no folder; expected a new or an empty one. Choose another name.")
    if any(target.iterdir()) and not force:
        raise LitgenError(
            f"{target} is not empty; expected a new or an empty folder. Choose another name, or add --force, "
            "which lists the files that it would overwrite and asks."
        )


def preview(order: Order) -> list[Path]:
    """The files that the project would have, relative and sorted; nothing is kept."""
    with staging(None) as stage:
        render(current(), order.answers.plain(), stage.project, stage.scratch)
        return stage.files()


def create(order: Order, may_overwrite: Callable[[list[Path]], bool]) -> Created:
    """Make the project, or leave everything as it was.

    Args:
        order: What to make.
        may_overwrite: Asked with the files that would be overwritten, if there are any.

    Raises:
        LitgenError: If it cannot be made.
        DeclinedError: If it may not overwrite those files.
    """
    template, target = current(), order.target
    to_commit = order.commit and not _in_repository(target)
    with staging(target if target.is_dir() else target.parent) as stage:
        render(template, order.answers.plain(), stage.project, stage.scratch)
        files = stage.files()
        is_anonymous = to_commit and _commit(stage.project, f"litgen new, with litgen {template.tag}")
        overwritten = clashes(stage, target)
        if overwritten and not may_overwrite(overwritten):
            raise DeclinedError
        place(stage, target)
    return Created(len(files), to_commit, is_anonymous)


def _in_repository(folder: Path) -> bool:
    real = folder.resolve()
    return any((place / ".git").exists() for place in (real, *real.parents))


def _commit(project: Path, message: str) -> bool:
    """Make a repository whose first commit holds every file; says whether git knew no name for its author."""
    env = git.owner_environment()
    branch = () if _is_set("init.defaultBranch", project, env) else ("--initial-branch=main",)
    git.run("init", "--quiet", *branch, cwd=project, env=env)
    # Only now: the owner's settings may depend on where a repository lies (includeIf "gitdir:...").
    unknown = {
        f"GIT_{role}_{variable}": fallback
        for key, variable, fallback in (("name", "NAME", FALLBACK_NAME), ("email", "EMAIL", FALLBACK_EMAIL))
        for role in ("AUTHOR", "COMMITTER")
        if f"GIT_{role}_{variable}" not in env and not _is_set(f"user.{key}", project, env)
    }
    git.run("-c", "core.safecrlf=false", "add", "--force", "--all", ".", cwd=project, env=env)
    plain = ("-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null")
    git.run(*plain, "commit", "--quiet", "--message", message, cwd=project, env={**env, **unknown})
    return bool(unknown)


def _is_set(setting: str, project: Path, env: Mapping[str, str]) -> bool:
    return bool(git.run("config", "--get", setting, cwd=project, env=env, ok=(0, 1)))
