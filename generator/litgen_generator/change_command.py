"""The commands that change a project: planned, told, asked, written."""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import click

from litgen_generator.change import report
from litgen_generator.change.applying import AFTER, BEFORE, State
from litgen_generator.change.engine import Plan, Wish, changed, planned
from litgen_generator.change.merge import merge_as_text
from litgen_generator.change.project import Project
from litgen_generator.change.snapshot import working_tree
from litgen_generator.change.status import is_marked
from litgen_generator.change.trees import Trees
from litgen_generator.errors import ConflictError, DeclinedError, LitgenError


@dataclass(frozen=True)
class Manner:
    """How a command goes about it.

    Args:
        yes: Ask nobody.
        quiet: Tell only what went wrong.
        as_json: Tell it as JSON.
        diff: Print the patch, and write nothing.
    """

    yes: bool = False
    quiet: bool = False
    as_json: bool = False
    diff: bool = False

    def say(self, text: str = "") -> None:
        """Tell a person; beside the patch, if that is what is printed."""
        if not self.quiet and not self.as_json:
            click.echo(text, err=self.diff)


class Opened(NamedTuple):
    """A project that nobody else changes meanwhile."""

    project: Project
    state: State


@contextmanager
def opened() -> Iterator[Opened]:
    """The project of this folder."""
    found = Project.find(Path.cwd())
    state = State(found.state, found.root)
    with state.held():
        yield Opened(Project.find(found.root), state)


def run(make: Callable[[Project], Wish], manner: Manner) -> None:
    """Change the project of this folder.

    Args:
        make: Says what it is to become.
        manner: How to go about it.

    Raises:
        ConflictError: If it was changed, and the owner has to decide something.
        LitgenError: If it was not changed.
    """
    with opened() as (project, state):
        refuse_unresolved(project, state)
        with planned(project, make(project)) as plan:
            if manner.diff:
                sys.stdout.buffer.write(plan.patch)
                return
            _tell(plan, manner)
            if plan.changes:
                if not manner.yes and is_interactive() and not click.confirm("Write it?", default=True):
                    raise DeclinedError
                plan.apply(state)
            if manner.as_json:
                click.echo(json.dumps(report.as_data(plan, applied=bool(plan.changes)), indent=2))
            if plan.conflicts:
                raise ConflictError(_what_now(plan))
            if plan.changes:
                if (project.root / "uv.lock").exists() and any(
                    change.path == "pyproject.toml" for change in plan.changes
                ):
                    manner.say("uv.lock is of the pyproject.toml before: `make lock` brings it up to date.")
                manner.say(f"Done. `litgen undo` takes it back; `{_keeping(plan)}` keeps it.")


def resume(manner: Manner) -> None:
    """`litgen continue`: find that the conflicts of the last change are resolved.

    Raises:
        ConflictError: If some are not.
    """
    with opened() as (project, state):
        deed = state.last
        if deed is None or not deed.conflicts:
            raise LitgenError("there is nothing to continue: no change of litgen has open conflicts.")
        places = ((path, project.root / path) for path in deed.conflicts)
        marked = [path for path, place in places if place.is_file() and is_marked(place.read_bytes())]
        if marked:
            listed = "\n".join(f"  {path}" for path in marked)
            raise ConflictError(
                f"conflicts stand in these files between <<<<<<< and >>>>>>>:\n{listed}\n"
                "Decide each, remove the markers, and run again: litgen continue. Or take all back: litgen undo"
            )
        state.settle()
        manner.say("Resolved. Keep it: git add --all && git commit")


def undo(manner: Manner) -> None:
    """`litgen undo`: take the last change back.

    Raises:
        LitgenError: If there is none, or what was changed is not what it was. Then nothing is written.
    """
    with opened() as (project, state):
        deed = state.last
        if deed is None:
            raise LitgenError("there is nothing to undo: litgen has changed nothing here, or it was undone already.")
        known = state.trees()  # only read: what was done has to be known still, should this fail
        before, after = known.tree(BEFORE), known.tree(AFTER)
        ours = working_tree(project.root, after, before)
        with tempfile.TemporaryDirectory(prefix="litgen-") as folder:
            trees = Trees(Path(folder, "trees"))
            merged = merge_as_text(trees, after, ours, before)
            changes = [] if merged.clashes else changed(trees, ours, merged.tree)
        if merged.clashes:
            listed = "\n".join(f"  {path}" for path in sorted({path for each in merged.clashes for path in each.paths}))
            raise LitgenError(
                f"`{deed.command}` cannot be undone: you have changed the same lines since then in\n{listed}\n"
                "Nothing was changed. Put them back, or use git to return to your last commit."
            )
        state.apply(changes, trees, None)
        manner.say(f"Undone: {deed.command}")


def refuse_unresolved(project: Project, state: State) -> None:
    """Let nothing be changed on top of a change that left conflicts.

    Raises:
        ConflictError: If the last one did, and they are not known to be resolved.
    """
    deed = state.last
    if deed is not None and deed.conflicts:
        raise ConflictError(
            f"`{deed.command}` has left conflicts in {', '.join(deed.conflicts)}; expected them to be resolved first. "
            "Then run: litgen continue. Or take it back: litgen undo"
        )


def _tell(plan: Plan, manner: Manner) -> None:
    for note in plan.notes:
        manner.say(note)
    if not plan.changes and not plan.conflicts:
        manner.say("Nothing to change.")
        return
    for word, what in report.lines(plan):
        manner.say(f"  {click.style(f'{word:<9}', fg=report.COLOURS[word])} {what}")


def _keeping(plan: Plan) -> str:
    """What commits it, also where the owner's git ignores wheels."""
    wheel = any(change.before is None and change.path.startswith("vendor/") for change in plan.changes)
    return f"{'git add --force vendor && ' if wheel else ''}git add --all && git commit"


def _what_now(plan: Plan) -> str:
    keys = [f"  {path}{f': {key}' if key else ''}: {why}" for path, why, key in plan.conflicts]
    return "\n".join(
        [
            "written, but you have to decide in",
            *keys,
            f"Each stands between <<<<<<< yours and >>>>>>> {plan.label}, or the file is as you left it. Decide, then "
            "run: litgen continue. Or take all back: litgen undo",
        ]
    )


def is_interactive() -> bool:
    """Whether there is somebody to ask."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
