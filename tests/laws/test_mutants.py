"""Each law is worth something: an engine with one thing wrong breaks it."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from litgen_generator import change_command
from litgen_generator.change import engine, folding, merge, toml_merge
from litgen_generator.change.applying import Deed, State
from litgen_generator.change.project import ANSWERS
from litgen_generator.change.trees import Change, Entry, Tree, Trees
from tests.laws import laws
from tests.laws.cases import case, rows, tags
from tests.laws.laws import Law
from tests.workshop import WORST_EXIT, Workshop, git

Mutant = Callable[[pytest.MonkeyPatch], None]


def base_is_theirs(patch: pytest.MonkeyPatch) -> None:
    """The merge takes what the template gives now for what it gave before: nothing of it is new."""
    true = merge.merge
    patch.setattr(merge, "merge", lambda trees, base, ours, theirs, label: true(trees, theirs, ours, theirs, label))


def ours_is_the_last_commit(patch: pytest.MonkeyPatch) -> None:
    """The engine looks at what is committed rather than at the working tree."""

    def committed(root: Path, base: Tree, theirs: Tree) -> dict[str, Entry]:
        listed = git(root, "ls-tree", "-r", "-z", "HEAD").split(b"\0")[:-1]
        heads = [(head.split(), os.fsdecode(path)) for head, _, path in (line.partition(b"\t") for line in listed)]
        return {path: Entry(head[0].decode(), git(root, "cat-file", "blob", head[2].decode())) for head, path in heads}

    patch.setattr(engine, "working_tree", committed)


def undo_does_nothing(patch: pytest.MonkeyPatch) -> None:
    """The patch of undo is dropped."""
    true = State.apply

    def apply(self: State, changes: Sequence[Change], trees: Trees, deed: Deed | None) -> None:
        if deed is not None:
            true(self, changes, trees, deed)

    patch.setattr(State, "apply", apply)


def undo_takes_the_last_commit(patch: pytest.MonkeyPatch) -> None:
    """Undo is `git checkout`: what was not committed is gone with it."""
    patch.setattr(change_command, "undo", lambda manner: git(Path.cwd(), "checkout", "--quiet", "HEAD", "--", "."))


def owned_files_are_overwritten(patch: pytest.MonkeyPatch) -> None:
    """A handler is a file like any other."""
    patch.setattr(merge, "is_owned", lambda path: False)


def service_toml_is_not_folded(patch: pytest.MonkeyPatch) -> None:
    """What the owner set in service.toml is in no answer."""

    def fold(answers: Mapping[str, Any], base_toml: str, ours_toml: str) -> folding.Folded:
        return folding.Folded(dict(answers), [], {}, [], [])

    patch.setattr(folding, "fold", fold)


def nothing_is_deleted(patch: pytest.MonkeyPatch) -> None:
    """What the template has no more stays."""
    true = engine.changed

    def changed(trees: Trees, before: Tree, after: Tree) -> list[Change]:
        return [change for change in true(trees, before, after) if change.after is not None]

    patch.setattr(engine, "changed", changed)


def service_toml_stays(patch: pytest.MonkeyPatch) -> None:
    """Nothing of the template's gets into service.toml."""
    patch.setattr(toml_merge, "merge", lambda base, ours, theirs, label: toml_merge.Merged(ours, ()))


def each_merge_leaves_a_trace(patch: pytest.MonkeyPatch) -> None:
    """A merge of the same once more is not the same."""
    true = toml_merge.merge

    def traced(base: str, ours: str, theirs: str, label: str) -> toml_merge.Merged:
        merged = true(base, ours, theirs, label)
        return merged._replace(text=f"{merged.text}# merged\n")

    patch.setattr(toml_merge, "merge", traced)


def answers_stay(patch: pytest.MonkeyPatch) -> None:
    """The answers are merged as the owner's."""

    def kept(result: merge.Merge, base: Tree, ours: Tree, theirs: Tree) -> None:
        result.after[ANSWERS] = ours[ANSWERS]

    patch.setattr(merge, "_merge_answers", kept)


BREAKS: list[tuple[Mutant, Law]] = [
    (base_is_theirs, laws.update_reaches_new),
    (answers_stay, laws.update_reaches_new),
    (each_merge_leaves_a_trace, laws.update_twice_is_once),
    (ours_is_the_last_commit, laws.adding_one_by_one),
    (answers_stay, laws.adding_one_by_one),
    (nothing_is_deleted, laws.adding_and_removing_is_nothing),
    (ours_is_the_last_commit, laws.adding_and_removing_is_nothing),
    (service_toml_stays, laws.setting_there_and_back_is_nothing),
    (undo_does_nothing, laws.undoing_is_nothing),
    (undo_takes_the_last_commit, laws.undoing_is_nothing),
    (owned_files_are_overwritten, laws.what_the_owner_edited_stays),
    (service_toml_is_not_folded, laws.by_hand_is_as_by_command),
    (base_is_theirs, laws.by_hand_is_as_by_command),
]


@pytest.mark.parametrize(("mutant", "law"), BREAKS, ids=lambda each: each.__name__)
def test_the_law_finds_the_mutant(
    mutant: Mutant, law: Law, shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somewhere among the rows; without the mutant it has nothing to say there."""
    mutant(monkeypatch)
    for row in range(rows()):
        (folder := tmp_path / str(row)).mkdir()
        found = list(law(case(shop, folder, tags()[0], tags()[-1], row)))
        assert not any(f"exit code {WORST_EXIT}" in complaint for complaint in found), "the mutant itself is broken"
        if found:
            return
    pytest.fail(f"{law.__name__} does not see that {mutant.__doc__}")


def test_every_law_has_a_mutant() -> None:
    """None is left untried."""
    assert {law for _, law in BREAKS} == set(laws.LAWS)
