"""The commands that change a project: planned, told, asked, written."""

import json
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import click

from litgen_generator import git
from litgen_generator.change import report, runtime_pin
from litgen_generator.change.applying import Deed, State
from litgen_generator.change.engine import Plan, Wish, changed, planned
from litgen_generator.change.merge import is_taken_back, merge_as_text
from litgen_generator.change.project import ANSWERS, Project, version_in
from litgen_generator.change.snapshot import working_tree
from litgen_generator.change.status import is_marked
from litgen_generator.change.trees import LINK, Entry, Tree, Trees
from litgen_generator.errors import ConflictError, DeclinedError, LitgenError
from litgen_generator.release import bundle
from litgen_generator.render import BUNDLE


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
def opened(*, writes: bool = True) -> Iterator[Opened]:
    """The project of this folder.

    Raises:
        LitgenError: If it is to be written to in the middle of a merge, or cannot be read.
    """
    if writes:
        _refuse_unmerged()
    try:
        found = Project.find(Path.cwd())
    except LitgenError:
        _refuse_unmerged()  # its answers may be in the middle of a merge, too
        raise
    state = State(found.state, found.root)
    with state.held():
        yield Opened(Project.find(found.root), state)


def _refuse_unmerged() -> None:
    """Let nothing be written while git waits for its owner to merge files.

    Raises:
        ConflictError: If it does.
    """
    listing = ("-c", "core.fsmonitor=false", "ls-files", "--unmerged", "-z", "--", ":/")
    said = git.output(*listing, cwd=Path.cwd(), env=git.owner_environment(), ok=(0, 128))
    paths = dict.fromkeys(os.fsdecode(line.partition(b"\t")[2]) for line in said.split(b"\0") if line)
    if paths:
        raise ConflictError(
            f"git has not merged {', '.join(paths)}; expected a merge, rebase or cherry-pick to be finished first. "
            "`git status` says how; then run this again. Nothing was changed."
        )


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
                sys.stdout.flush()
                if plan.conflicts:
                    raise ConflictError(
                        "\n".join(["the patch holds conflicts: you would have to decide in", *_open(plan)])
                    )
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


def resume(manner: Manner, *, both: bool = False) -> None:
    """`litgen continue`: find that the conflicts of the last change are resolved.

    Args:
        manner: How to go about it.
        both: Whether files that both sides have moved are to stay in both places.

    Raises:
        ConflictError: If some are not.
    """
    with opened(writes=False) as (project, state):
        deed = state.last
        if deed is None or not deed.conflicts:
            raise LitgenError("there is nothing to continue: no change of litgen has open conflicts.")
        before, after = state.before_and_after()
        ours = working_tree(project.root, after, before)
        if is_taken_back(before, after, ours):
            state.forget()
            manner.say(f"{_taken_back(deed)} litgen has forgotten it.")
            return
        _check_resolved(project, deed, both=both)
        decided = {*deed.conflicts, *(path for paths in deed.copies for path in paths)}
        state.settle(before, {**_but(after, decided), **{path: ours[path] for path in decided & ours.keys()}})
        manner.say("Resolved. Keep it: git add --all && git commit. `litgen undo` takes the whole change back.")


def _check_resolved(project: Project, deed: Deed, *, both: bool) -> None:
    places = ((path, project.root / path) for path in deed.conflicts)
    marked = [path for path, place in places if place.is_file() and is_marked(place.read_bytes())]
    if marked:
        listed = "\n".join(f"  {path}" for path in marked)
        raise ConflictError(
            f"conflicts stand in these files between <<<<<<< and >>>>>>>:\n{listed}\n"
            "Decide each, remove the markers, and run again: litgen continue. Or take all back: litgen undo"
        )
    twice = [paths for paths in deed.copies if all(os.path.lexists(project.root / path) for path in paths)]
    if twice and not both:
        listed = "\n".join(f"  {' and '.join(paths)}" for paths in twice)
        raise ConflictError(
            f"you and the template have each moved a file, and both copies are there:\n{listed}\n"
            "Delete the one that you do not want, and run again: litgen continue. "
            "Or keep both: litgen continue --both. Or take all back: litgen undo"
        )
    wrong = runtime_pin.problem(project.root)
    if wrong:
        raise ConflictError(
            f"{wrong}, as `{deed.command}` wrote it. Put that into {runtime_pin.PYPROJECT}, "
            "and run again: litgen continue. Or take all back: litgen undo"
        )


def undo(manner: Manner) -> None:
    """`litgen undo`: take the last change back.

    Raises:
        LitgenError: If there is none, or what was changed is not what it was. Then nothing is written.
    """
    with opened() as (project, state):
        deed = state.last
        if deed is None:
            raise LitgenError("there is nothing to undo: litgen has changed nothing here, or it was undone already.")
        before, after = state.before_and_after()  # only read: what was done has to be known still, should this fail
        ours = working_tree(project.root, after, before)
        if is_taken_back(before, after, ours):
            state.forget()
            manner.say(_taken_back(deed))
            return
        with tempfile.TemporaryDirectory(prefix="litgen-") as folder:
            trees = Trees(Path(folder, "trees"))
            merged = merge_as_text(trees, after, ours, before)
            after_all = merged.tree if merged.clashes else _with_its_version(project, deed, ours, merged.tree)
            changes = [] if merged.clashes else changed(trees, ours, after_all)
        if merged.clashes:
            raise LitgenError(_in_the_way(deed, sorted({path for each in merged.clashes for path in each.paths})))
        state.apply(changes, trees, None)
        manner.say(f"Undone: {deed.command}")


def _in_the_way(deed: Deed, paths: Sequence[str]) -> str:
    listed = "\n".join(f"  {path}" for path in paths)
    return (
        f"`{deed.command}` cannot be undone: you have changed the same lines since then in\n{listed}\n"
        "Nothing was changed. Put your changes there aside, which loses none, and run it again:\n"
        f"  git stash push --include-untracked -- {shlex.join(paths)}\n"
        "  litgen undo\n"
        "`git stash pop` brings them back. What you have committed since, `git revert` takes back."
    )


def _taken_back(deed: Deed) -> str:
    return f"`{deed.command}` was taken back already, by git or by hand: its files are as they were before it."


def _but(tree: Tree, paths: Set[str]) -> dict[str, Entry]:
    return {path: entry for path, entry in tree.items() if path not in paths}


def _with_its_version(project: Project, deed: Deed, ours: Tree, undone: Tree) -> Tree:
    """What undo leaves, with the bundle as it is now if the one before lacks the version that the project has then.

    Raises:
        LitgenError: If nothing else is to be undone.
    """
    tag = version_in(undone[ANSWERS].content) if ANSWERS in undone else project.tag
    if tag is None or BUNDLE not in undone or bundle.holds(_bundle_of(project, undone[BUNDLE]), tag):
        return undone
    if {path for path in ours.keys() | undone.keys() if ours.get(path) != undone.get(path)} == {BUNDLE}:
        raise LitgenError(
            f"`{deed.command}` cannot be undone: the project has {tag} since then, which {BUNDLE} did not hold before; "
            "expected no upgrade after it. Nothing was changed: keep it, or go back with git to before the upgrade."
        )
    return {**undone, BUNDLE: ours[BUNDLE]} if BUNDLE in ours else undone


def _bundle_of(project: Project, entry: Entry) -> bytes:
    """The versions themselves, also where the owner has put them elsewhere behind a link."""
    if entry.mode != LINK:
        return entry.content
    place = (project.root / BUNDLE).parent / os.fsdecode(entry.content)
    return place.read_bytes() if place.is_file() else b""


def change_taken_back(project: Project, state: State) -> str | None:
    """That the last change had conflicts and its files are as before it, as after a `git stash`; what ends it."""
    deed = state.last
    if deed is None or not deed.conflicts:
        return None
    before, after = state.before_and_after()
    is_so = is_taken_back(before, after, working_tree(project.root, after, before))
    return f"{_taken_back(deed)} Say so: litgen continue" if is_so else None


def refuse_unresolved(project: Project, state: State) -> None:
    """Let nothing be changed on top of a change that left conflicts.

    Raises:
        ConflictError: If the last one did, and they are not known to be resolved.
    """
    deed = state.last
    if deed is not None and deed.conflicts:
        if said := change_taken_back(project, state):
            raise ConflictError(f"{said}, and run this again.")
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
    return "\n".join(
        [
            "written, but you have to decide in",
            *_open(plan),
            f"Each stands between <<<<<<< yours and >>>>>>> {plan.label}, or the file is as you left it. Decide, then "
            "run: litgen continue. Or take all back: litgen undo",
        ]
    )


def _open(plan: Plan) -> list[str]:
    """What the owner has to decide, a line each."""
    return [f"  {each.path}{f': {each.key}' if each.key else ''}: {each.why}" for each in plan.conflicts]


def is_interactive() -> bool:
    """Whether there is somebody to ask."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
