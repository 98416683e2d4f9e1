"""Plain copier stays a citizen: before litgen, after it, and beside it."""

import json

import pytest
import yaml

from tests.e2e.changing import Owner, copied

CURRENT = "--vcs-ref=:current:"
COMMANDS = {
    "add-endpoint": ("add-endpoint", "third", "--defaults"),
    "remove-endpoint": ("remove-endpoint", "rank"),
    "set": ("set", "drain_timeout_s=90", "deployment=docker", "rank.path=/v2/rank"),
    "update": ("update",),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_copier_after_litgen(old_owner: Owner, command: str) -> None:
    """What litgen has made, committed, is for copier up to date with itself: nothing to change, no network."""
    old_owner.does(*COMMANDS[command])
    old_owner.commits()
    done = old_owner.files()
    old_owner.copier(CURRENT)
    assert old_owner.files() == done
    assert old_owner.git("status", "--porcelain") == ""


def test_litgen_after_copier(owner: Owner) -> None:
    """What copier has changed, litgen takes as it is, committed or not."""
    owner.copier(CURRENT, "--data", "drain_timeout_s=120.0", "--data", "deployment=docker")
    assert owner.litgen("status", "--check").returncode == 0
    owner.does("add-endpoint", "third", "--defaults")
    assert yaml.safe_load(owner.text(".copier-answers.yml"))["drain_timeout_s"] == 120.0
    owner.commits()
    owner.copier(CURRENT)
    assert owner.git("status", "--porcelain") == ""


def test_the_same_tree_as_copiers(owner: Owner) -> None:
    """An endpoint more, one less, other answers, and an edit that is in nobody's way: byte for byte the same."""
    owner.edits("Makefile", ".PHONY", "# mine\n.PHONY")
    owner.commits()
    beside = Owner(owner.workplace, copied(owner.project, owner.workplace.folder / "beside"))
    owner.does("add-endpoint", "third", "--defaults")
    owner.does("remove-endpoint", "rank")
    owner.does("set", "drain_timeout_s=90", "shutdown_api=true", "ci=none")
    answers = yaml.safe_load(owner.text(".copier-answers.yml"))
    data = [f"--data={key}={json.dumps(value)}" for key, value in answers.items() if not key.startswith("_")]
    beside.copier(CURRENT, *[each.replace('="', "=").removesuffix('"') for each in data])
    assert beside.files() == owner.files()
