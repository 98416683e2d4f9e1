"""`litgen template fetch`: a newer template brought into a project, for plain copier to upgrade it from."""

import os
import shlex
import tempfile
from pathlib import Path

import click

from litgen_generator import git
from litgen_generator.change import merge
from litgen_generator.change.applying import Deed, State
from litgen_generator.change.engine import Wish, changed, label_of, planned
from litgen_generator.change.project import Project
from litgen_generator.change.snapshot import entry_at
from litgen_generator.change.trees import FILE, Entry, Trees
from litgen_generator.change_command import opened, refuse_unresolved
from litgen_generator.errors import LitgenError
from litgen_generator.release import bundle, carried, notices
from litgen_generator.release.current import Template, current
from litgen_generator.render import BUNDLE

COMMAND = "litgen template fetch"


def fetch(*, commit: bool) -> None:
    """Put the project's own version and the newest one into its bundle.

    Args:
        commit: Whether to commit that file, and only that.

    Raises:
        LitgenError: If the newest version is older than the project's, or a version cannot be read.
    """
    with opened() as (project, state):
        refuse_unresolved(project, state)
        newest = current()
        _check_direction(project, newest)
        _tell_fetched(project, newest, is_new=_fetched(project, state, newest))
        if project.tag != newest.tag:
            _warn_of_losses(Project.find(project.root), newest)
        is_open = bool(_git(project, "status", "--porcelain", "--ignored", "--", BUNDLE))
        if commit and is_open:
            _commit(project, newest)
            is_open = False
        if project.tag != newest.tag:
            click.echo("\n".join(["", "Next:", *_next(project, newest, is_open=is_open)]))


def _check_direction(project: Project, newest: Template) -> None:
    if carried.order(newest.tag) < carried.order(project.tag):
        raise LitgenError(
            f"the project has {project.tag} and the newest that this litgen has is {newest.tag}; expected a newer one. "
            "Install one that has it: pip install --upgrade litgen-generator"
        )


def _fetched(project: Project, state: State, newest: Template) -> bool:
    """Write the bundle, unless it holds both versions already; whether it was written."""
    place = project.root / BUNDLE
    held = bundle.refs(place) if place.is_file() else {}
    is_held = f"refs/tags/{project.tag}" in held
    own = project.template if is_held else carried.held(project.tag) or project.template
    wanted = {each.tag: each.bundle for each in (own, newest)}
    if all(held.get(f"refs/tags/{tag}") == bundle.refs(path)[f"refs/tags/{tag}"] for tag, path in wanted.items()):
        return False
    with tempfile.TemporaryDirectory(prefix="litgen-") as folder:
        joined = Path(folder, "bundle")
        bundle.join(wanted, joined)
        before, trees = entry_at(place), Trees(Path(folder, "trees"))
        after = {BUNDLE: Entry(FILE, joined.read_bytes())}
        changes = changed(trees, {BUNDLE: before} if before else {}, after)
        state.apply(changes, trees, Deed(COMMAND, label_of(newest)))
    return True


def _tell_fetched(project: Project, newest: Template, *, is_new: bool) -> None:
    if project.tag == newest.tag:
        click.echo(
            f"The project has {newest.tag}, the newest: {BUNDLE} {'is mended' if is_new else 'needs no change'}."
        )
        return
    for notice in notices.between(project.tag, newest.tag):
        click.echo(f"{click.style(f'Before you deploy {notice.version}', bold=True)}\n{notice.text}\n")
    click.echo(f"{BUNDLE} {'holds' if is_new else 'held'} {project.tag}, the project's own, and {newest.tag}.")


def _warn_of_losses(project: Project, newest: Template) -> None:
    """Say which edits of the owner's plain copier would lose: those in files that the newest version moves or drops."""
    try:
        with planned(project, Wish("litgen update", newest, lambda answers: answers)) as plan:
            lost = merge.lost_by_copier(plan.trees, plan.base, plan.ours, plan.theirs)
    except LitgenError as error:
        click.echo(f"Whether plain `copier update` would lose edits of yours could not be found out: {error}")
        return
    if lost:
        files = [f"  {path}: {f'moved to {there}' if there else 'deleted'}" for path, there in lost.items()]
        told = f"Plain `copier update` loses them in files that {newest.tag} has no more; `litgen update` does not:"
        click.echo("\n".join([click.style("Mind your edits", bold=True), told, *files]))


def _commit(project: Project, newest: Template) -> None:
    _git(project, "add", "--force", "--", BUNDLE)
    plain = ("-c", "core.hooksPath=/dev/null")
    _git(project, *plain, "commit", "--quiet", "--message", f"{COMMAND}: {newest.tag}", "--only", "--", BUNDLE)
    click.echo("Committed it.")


def _next(project: Project, newest: Template, *, is_open: bool) -> list[str]:
    """What to type so that copier upgrades the project: it works in its root, and on a clean tree."""
    lines = [f"  cd {shlex.quote(os.path.relpath(project.root))}"] if project.root != Path.cwd() else []
    if is_open:
        lines.append(f"  git add --force {BUNDLE} && git commit --message 'Fetched {newest.tag}'")
    unreleased = "" if carried.is_released(newest.tag) else " --prereleases"
    return [
        *lines,
        f"  copier update{unreleased} --defaults    # new questions get their defaults; without it, it asks",
    ]


def _git(project: Project, *arguments: str) -> str:
    return git.run(*arguments, cwd=project.root, env=git.owner_environment())
