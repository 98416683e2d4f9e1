"""One scenario played in a real repository; where it fails, the edits that it does not need are left out."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from litgen_generator.change.project import ANSWERS
from litgen_generator.render import BUNDLE
from tests.fuzz import boot, checks, edits, oracle
from tests.fuzz.plan import Scenario
from tests.fuzz.seen import CONFLICT, DONE, Seen
from tests.workshop import Said, Tree, Workshop, git, litgen, tree_of

Play = Callable[[Scenario], "Outcome"]


@dataclass
class Outcome:
    """How a round went: the exit code of the command, and what did not hold."""

    code: int = DONE
    said: str = ""
    complaints: list[str] = field(default_factory=list)


def play(shop: Workshop, folder: Path, scenario: Scenario, *, boots: bool = False) -> Outcome:
    """Play a scenario.

    Args:
        shop: Where projects are made.
        folder: Where this one goes; it is emptied.
        scenario: What is done.
        boots: Whether the service is started and its tests are run afterwards.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    project = prepared(shop, folder, scenario)
    before, books = tree_of(project), _books_of_git(project)
    preview = litgen(project, *scenario.command, "--diff")
    outcome = Outcome()
    if tree_of(project) != before:
        outcome.complaints.append("--diff has changed the tree")
    copy = _patched(project, folder / "copy", preview)
    said = litgen(project, *scenario.command, "--json")
    outcome.code, outcome.said = said.code, said.error
    after = tree_of(project)
    if said.code in (DONE, CONFLICT) and said.out.strip():
        outcome.complaints += checks.done(_seen(shop, scenario, said, before, after))
        if isinstance(copy, str):
            outcome.complaints.append(f"--diff gives no patch: {copy}")
        elif oracle.as_git(copy) != oracle.as_git(after):
            outcome.complaints.append(f"--diff is not what is done: {_other(copy, after)}")
        if boots and not outcome.complaints and said.code == DONE:
            outcome.complaints += boot.failures(project)
        if after != before:
            outcome.complaints += _undone(project, before)
    else:
        outcome.complaints += checks.refused(said, scenario)
        outcome.complaints += [f"refused, and changed: {_other(before, after)}"] if after != before else []
    if _books_of_git(project) != books:
        outcome.complaints.append("the owner's index, HEAD or branches have changed")
    return outcome


def prepared(shop: Workshop, folder: Path, scenario: Scenario) -> Path:
    """The project of a scenario, edited, committed and staged as it says."""
    template = next(each for each in shop.versions() if each.tag == scenario.tag)
    project = folder / ("repository/its services/project" if scenario.nested else "project")
    project.parent.mkdir(parents=True, exist_ok=True)
    shop.new(template, scenario.answers, project)
    if scenario.nested:
        (project / ".git").rename(folder / "repository" / ".git")
    git(project, "add", "--all", "--force", "--", ".")
    git(project, "commit", "--quiet", "--allow-empty", "--message", "Where it stands")
    stops = (scenario.committed, scenario.committed + scenario.staged, len(scenario.edits))
    done = 0
    for stop, keep in zip(stops, ("commit", "stage", ""), strict=True):
        for edit in scenario.edits[done:stop]:
            edits.do(project, edit)
        if keep and stop > done:
            git(project, "add", "--all", "--", ".")
        if keep == "commit" and stop > done:
            git(project, "commit", "--quiet", "--allow-empty", "--message", "Mine")
        done = stop
    return project


def smallest(scenario: Scenario, fails: Callable[[Scenario], bool]) -> Scenario:
    """The scenario without the edits that its failure does not need."""
    found = replace(scenario, nested=False) if fails(replace(scenario, nested=False)) else scenario
    for bare in (replace(found, committed=0, staged=0), replace(found, committed=len(found.edits), staged=0)):
        if fails(bare):
            found = bare
            break
    for edit in scenario.edits:
        fewer = _without(found, edit)
        if fails(fewer):
            found = fewer
    return found


def _without(scenario: Scenario, edit: edits.Edit) -> Scenario:
    at = scenario.edits.index(edit)
    committed = scenario.committed - (at < scenario.committed)
    staged = scenario.staged - (scenario.committed <= at < scenario.committed + scenario.staged)
    rest = scenario.edits[:at] + scenario.edits[at + 1 :]
    return replace(scenario, edits=rest, committed=committed, staged=staged)


def _seen(shop: Workshop, scenario: Scenario, said: Said, before: Tree, after: Tree) -> Seen:
    versions = {each.tag: each for each in shop.versions()}
    sides = []
    for tree in (before, after):
        known = yaml.safe_load(tree[ANSWERS].content)
        answers = {key: value for key, value in known.items() if not key.startswith("_")}
        sides.append(shop.tree(versions[known["_commit"]], answers))
    return Seen(scenario, said, sides[0], sides[1], oracle.as_git(before), oracle.as_git(after))


def _patched(project: Path, copy: Path, preview: Said) -> Tree | str:
    """What the printed patch makes of the project, applied by git to a copy of it; or why it cannot be."""
    if preview.code not in (DONE, CONFLICT):
        return preview.error
    shutil.copytree(project, copy, symlinks=True)
    shutil.rmtree(copy / ".git", ignore_errors=True)
    git(copy, "init", "--quiet", "--template=")
    (copy / ".git" / "info").mkdir()
    (copy / ".git" / "info" / "attributes").write_text("* -text\n")  # else git changes line ends as it applies
    if preview.out:
        command = ("git", "apply", "--whitespace=nowarn", "-")
        done = subprocess.run(command, cwd=copy, input=preview.out, capture_output=True, check=False)
        if done.returncode:
            return done.stderr.decode(errors="replace")[:500]
    return tree_of(copy)


def _undone(project: Path, before: Tree) -> Iterator[str]:
    said = litgen(project, "undo")
    if said.code:
        yield f"undo ended with {said.code}: {said.error}"
    elif (now := tree_of(project)) != before and not _keeps_a_good_bundle(before, now):
        yield f"undo does not give back {_other(before, now)}"


def _keeps_a_good_bundle(before: Tree, now: Tree) -> bool:
    """Whether only the bundle is another one, in the place of something that was none."""
    there = before.get(BUNDLE)
    return _other(before, now) == [BUNDLE] and (there is None or not there.content.startswith(b"# v2 git bundle"))


def _other(one: Tree, other: Tree) -> list[str]:
    return sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))


def _books_of_git(project: Path) -> dict[str, bytes]:
    """What git knows of the owner: all that it has but what litgen keeps beside it."""
    top = next(each for each in (project, *project.parents) if (each / ".git").exists()) / ".git"
    found: dict[str, bytes] = {}
    for folder, folders, files in os.walk(top):
        if Path(folder) == top and "litgen" in folders:
            folders.remove("litgen")
        found |= {str(place): place.read_bytes() for place in (Path(folder, name) for name in files)}
    return found


def tried(shop: Workshop, folder: Path, scenario: Scenario, *, boots: bool = False) -> Outcome:
    """Play a scenario; what breaks the round itself is a complaint too."""
    try:
        return play(shop, folder, scenario, boots=boots)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other rounds go on
        return Outcome(complaints=[f"the round broke: {error!r}"])
