"""The checks are worth something: each finds what is wrong with an engine that has one thing wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest

from litgen_generator.change import merge, toml_merge
from litgen_generator.change.trees import Tree, Trees
from tests.fuzz import rounds
from tests.fuzz.plan import scenario
from tests.laws.test_mutants import ours_is_the_last_commit, undo_does_nothing
from tests.workshop import Workshop

ENOUGH = 60
"""Rounds, one of which has to find a mutant."""


def conflicts_are_not_told(patch: pytest.MonkeyPatch) -> None:
    """Markers are written, and the exit code is 0."""
    patch.setattr(merge, "_conflicts", lambda clashes, files: iter(()))


def what_was_deleted_comes_back(patch: pytest.MonkeyPatch) -> None:
    """A file that the owner has deleted is written again."""
    true = merge.merge

    def merged(trees: Trees, base: Tree, ours: Tree, theirs: Tree, label: str) -> merge.Merge:
        result = true(trees, base, ours, theirs, label)
        result.after = {**theirs, **result.after}
        return result

    patch.setattr(merge, "merge", merged)


def service_toml_is_the_templates(patch: pytest.MonkeyPatch) -> None:
    """The owner's is thrown away."""
    patch.setattr(toml_merge, "merge", lambda base, ours, theirs, label: toml_merge.Merged(theirs, ()))


@pytest.mark.parametrize(
    ("mutant", "sign"),
    [
        (ours_is_the_last_commit, "refused without a reason"),
        (undo_does_nothing, "undo does not give back"),
        (conflicts_are_not_told, "holds markers"),
        (what_was_deleted_comes_back, "was deleted and is back"),
        (service_toml_is_the_templates, "lost from 'service.toml'"),
    ],
)
def test_a_round_finds_the_mutant(
    mutant: Callable[[pytest.MonkeyPatch], None],
    sign: str,
    shop: Workshop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Within a few rounds, and with the words that name it."""
    mutant(monkeypatch)
    for seed in range(ENOUGH):
        found = rounds.tried(shop, tmp_path / "round", scenario(seed, shop)).complaints
        if any(sign in complaint for complaint in found):
            return
    pytest.fail(f"no round sees that {mutant.__doc__}")
