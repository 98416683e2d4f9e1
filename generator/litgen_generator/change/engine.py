"""From a wish to a plan, and from a plan to the files: the one way in which litgen changes a project that stands."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from litgen_generator.answers.model import is_moot
from litgen_generator.change import folding, merge, runtime_pin
from litgen_generator.change.applying import AFTER, BEFORE, Deed, State
from litgen_generator.change.project import ANSWERS, SETTINGS, Project, check_is_no_link
from litgen_generator.change.snapshot import rendered, working_tree
from litgen_generator.change.toml_edit import set_values
from litgen_generator.change.toml_text import decoded
from litgen_generator.change.trees import Change, Entry, Tree, Trees
from litgen_generator.release.current import Template
from litgen_generator.render import Job, render_all
from litgen_generator.staging import staging

README = "README.md"

Answers = Mapping[str, Any]


@dataclass(frozen=True)
class Wish:
    """What a project is to become.

    Args:
        command: What was typed.
        template: The version of the template that it is to have.
        answers: From the answers as they are, service.toml's values among them, to what they are to be; asked twice,
            and must not ask anybody.
        is_update: Whether wheels that other versions have left go, too.
    """

    command: str
    template: Template
    answers: Callable[[Answers], Answers]
    is_update: bool = False


@dataclass
class Plan:
    """What would be written, and why.

    Args:
        project: What is changed.
        wish: What was asked for.
        trees: Where the trees before and after stand.
        base: What the template gave before.
        ours: The owner's files.
        changes: The files that become others.
        conflicts: What only the owner can decide.
        kept: What stays as the owner has it, although the template's has changed.
        notes: What was found in service.toml, and which questions are new, a sentence each.
        theirs: What the template gives now.
    """

    project: Project
    wish: Wish
    trees: Trees
    base: Tree
    ours: Tree
    changes: list[Change]
    conflicts: list[merge.Conflict] = field(default_factory=list)
    kept: list[merge.Kept] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    theirs: Tree = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What the template's side is called in conflicts."""
        return label_of(self.wish.template)

    @cached_property
    def patch(self) -> bytes:
        """The change as `git apply` reads it."""
        return self.trees.patch(BEFORE, AFTER)

    def apply(self, state: State) -> None:
        """Write it."""
        paths = tuple(dict.fromkeys(conflict.path for conflict in self.conflicts))
        copies = tuple(conflict.copies for conflict in self.conflicts if conflict.copies)
        state.apply(self.changes, self.trees, Deed(self.wish.command, self.label, paths, copies))


def label_of(template: Template) -> str:
    """What a version of the template is called in conflicts."""
    return f"template {template.tag.partition('+')[0]}"


@contextmanager
def planned(project: Project, wish: Wish) -> Iterator[Plan]:
    """Work out what a wish comes to; nothing of the project is touched.

    Raises:
        LitgenError: If it cannot be.
    """
    with staging(None) as stage:
        scratch = stage.scratch
        check_is_no_link(project.root / SETTINGS)
        own = Template(project.copied_bundle(scratch / "own.bundle"), project.tag)
        wanted = wish.answers(project.answers)
        base, theirs = _pristine([Job(own, project.answers), Job(wish.template, wanted)], scratch / "first")
        ours = working_tree(project.root, base, theirs)
        folded = _folded(project.answers, base, ours)
        if wanted != (wanted := wish.answers(folded.answers)):
            (theirs,) = _pristine([Job(wish.template, wanted)], scratch / "second")
            ours = working_tree(project.root, base, theirs)
        start = _without_choices(base, ours, theirs, folded)
        if wish.is_update:
            strays = runtime_pin.strays(project.root, {**base, **theirs}, ours)
            start, ours = {**start, **strays}, {**ours, **strays}
        if folded.adopted:
            theirs = _without_adopted(theirs, folded.adopted)
        if unsaid := _unsaid(folded.answers, ours):
            jobs = [Job(own, _without(project.answers, unsaid)), Job(wish.template, _without(wanted, unsaid))]
            start[README], theirs[README] = (side[README] for side in _pristine(jobs, scratch / "third"))
        trees = Trees(scratch / "trees")
        result = merge.merge(trees, start, ours, theirs, label_of(wish.template))
        changes = changed(trees, ours, result.after)
        notes = [*folded.notes, *_silence(unsaid, project.answers, wanted), *_new_questions(wanted, theirs)]
        yield Plan(project, wish, trees, base, ours, changes, result.conflicts, result.kept, notes, theirs)


def changed(trees: Trees, before: Tree, after: Tree) -> list[Change]:
    """Keep both trees, and say which files become others, in the order of their paths."""
    trees.keep({AFTER: BEFORE}, **{BEFORE: before, AFTER: after})
    moved = {new: old for old, new in trees.renames(BEFORE, AFTER).items()}
    return [
        Change(path, before.get(path), after.get(path), moved.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]


def _new_questions(answers: Answers, theirs: Tree) -> Iterator[str]:
    """The questions that the template answers with their defaults, since nobody else has."""
    said = yaml.safe_load(theirs[ANSWERS].content)
    for key, value in said.items():
        if key not in answers and not key.startswith("_") and not is_moot(key, said):
            yield f"New question {key}: {value}, its default. Another answer: litgen set {key}=…"


def _folded(answers: Answers, base: Tree, ours: Tree) -> folding.Folded:
    if SETTINGS not in ours:
        return folding.Folded(dict(answers), [], {}, [], [])
    return folding.fold(answers, _text(base[SETTINGS]), _text(ours[SETTINGS]))


def _without_choices(base: Tree, ours: Tree, theirs: Tree, folded: folding.Folded) -> dict[str, Entry]:
    """The base as if the owner's choices in service.toml were the template's: then only what was asked for changes."""
    own = _text(ours[SETTINGS]) if SETTINGS in ours else ""
    text = folding.rebased(_text(base[SETTINGS]), _text(theirs[SETTINGS]), folded.values, own)
    return {**base, SETTINGS: base[SETTINGS]._replace(content=text.encode())}


def _without_adopted(theirs: Tree, adopted: Sequence[str]) -> dict[str, Entry]:
    """The template's side without what the owner has made by hand."""
    left = {path: entry for path, entry in theirs.items() if merge.endpoint_of(path) not in adopted}
    return {**left, SETTINGS: _with_values(theirs[SETTINGS], {f"endpoints.{name}": None for name in adopted})}


def _unsaid(answers: Answers, ours: Tree) -> list[str]:
    """The endpoints that the owner's README does not speak of, such as one that was made by hand."""
    if README not in ours:
        return []
    names = [each["name"] for each in answers["endpoints"]]
    unsaid = [name for name in names if f"/endpoints/{name}/".encode() not in ours[README].content]
    return unsaid if len(unsaid) < len(names) else []


def _silence(unsaid: Sequence[str], before: Answers, after: Answers) -> Iterator[str]:
    """What README.md says nothing of though it is new: jobs of an endpoint that it does not speak of."""
    had = [each["name"] for each in before["endpoints"] if each.get("jobs")]
    for each in after["endpoints"]:
        if each.get("jobs") and each["name"] in unsaid and each["name"] not in had:
            yield (
                f"{README} does not speak of endpoints.{each['name']}, nor of its jobs: examples/client.py hands one in"
            )


def _without(answers: Answers, names: Sequence[str]) -> Answers:
    """The answers without some endpoints, unless no other is left."""
    rest = [each for each in answers["endpoints"] if each["name"] not in names]
    return {**answers, "endpoints": rest or answers["endpoints"]}


def _with_values(settings: Entry, values: Mapping[str, Any]) -> Entry:
    return settings._replace(content=set_values(_text(settings), values).encode())


def _text(entry: Entry) -> str:
    return decoded(entry.content)


def _pristine(jobs: Sequence[Job], folder: Path) -> list[dict[str, Entry]]:
    """What the template gives, once for each job."""
    return [rendered(project) for project in render_all(jobs, folder)]
