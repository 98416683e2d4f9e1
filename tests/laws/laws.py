"""What every change of a project has to obey, each law a function that says how it is broken.

Trees are compared byte for byte, the answers among them. What the new version is asked for the comparison is what the
project has been told: a changed default of an answer that is written down changes nothing for who has it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litgen_generator.answers.asked import Asked, asked_by
from litgen_generator.answers.model import Answers, Endpoint
from litgen_generator.change.merge import is_owned
from litgen_generator.change.project import SETTINGS
from litgen_generator.release.current import Template
from tests import workshop
from tests.workshop import Said, Tree, Workshop, answers_of, tree_of

CONFLICT = 4
"""The exit code of a command after which its owner has to decide something."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A project to try a law on.

    Args:
        shop: Where projects are made.
        folder: Where this one goes; nothing is there.
        old: The version that it is made by.
        new: A version to update to: the same one, for laws that need no other.
        answers: What it is made from.
        others: Other answers, of another row.
    """

    shop: Workshop
    folder: Path
    old: Template
    new: Template
    answers: Row
    others: Row

    def made(self, answers: Row) -> Path:
        """A project of the old version."""
        return self.shop.new(self.old, answers, self.folder / f"project_{len(list(self.folder.iterdir()))}")

    def fresh(self, template: Template, answers: Row) -> Tree:
        """What a version gives for the answers: what a project ought to be."""
        return tree_of(self.shop.render(template, answers))

    def added(self) -> list[Row]:
        """Two endpoints that the project does not have."""
        first = {**self.others["endpoints"][0], "name": "added", "path": "/added"}
        return [first, {"name": "last", "framework": "python", "devices": "cpu"}]


Law = Callable[[Case], Iterator[str]]


def update_reaches_new(case: Case) -> Iterator[str]:
    """new(old) + update = new(new)."""
    project = case.made(case.answers)
    stored = answers_of(project)
    yield from _failed(_update(case, project))
    yield from differences(case.fresh(case.new, stored), tree_of(project))


def update_twice_is_once(case: Case) -> Iterator[str]:
    """Twice update = update."""
    project = case.made(case.answers)
    yield from _failed(_update(case, project))
    once = tree_of(project)
    yield from _failed(again := _update(case, project))
    if not again.code and (changes := json.loads(again.out)["changes"]):
        yield f"the second update changed {changes}"
    yield from differences(once, tree_of(project))


def adding_one_by_one(case: Case) -> Iterator[str]:
    """new(n endpoints) + add + add = new(n + 2), with no commit between."""
    project = case.made(case.answers)
    for endpoint in case.added():
        yield from _failed(_add(project, endpoint))
    stored = answers_of(project)
    added = [_in_full(endpoint, case) for endpoint in case.added()]
    wanted = {**case.answers, "endpoints": [*case.answers["endpoints"], *added]}
    if stored["endpoints"] != wanted["endpoints"]:
        yield f"the answers are {stored['endpoints']} instead of {wanted['endpoints']}"
    yield from differences(case.fresh(case.old, wanted), tree_of(project))


def adding_and_removing_is_nothing(case: Case) -> Iterator[str]:
    """Adding + removing = nothing, one inside the other too."""
    project = case.made(case.answers)
    before = tree_of(project)
    for endpoint in case.added():
        yield from _failed(_add(project, endpoint))
    for endpoint in case.added():
        yield from _failed(workshop.litgen(project, "remove-endpoint", endpoint["name"]))
    yield from differences(before, tree_of(project))


def setting_there_and_back_is_nothing(case: Case) -> Iterator[str]:
    """Setting there + back = nothing, and between the two it is as if it had been made so."""
    first, *rest = case.answers["endpoints"]
    before, there = {**case.answers, "endpoints": [_all_told(first), *rest]}, _as_others(case)
    project = case.made(before)
    yield from _failed(_set(project, before, there))
    yield from differences(case.fresh(case.old, there), tree_of(project))
    yield from _failed(_set(project, there, before))
    yield from differences(case.fresh(case.old, before), tree_of(project))


def undoing_is_nothing(case: Case) -> Iterator[str]:
    """Any command + undo = nothing, in a project with work that is not committed; out of a conflict too."""
    project = case.made(case.answers)
    with (project / "README.md").open("a", encoding="utf-8") as readme:
        readme.write("\nMine.\n")
    (project / "notes.txt").write_text("Mine, and not tracked.\n", encoding="utf-8")
    before = tree_of(project)
    name = case.answers["endpoints"][0]["name"]
    deeds: list[Callable[[], Said]] = [
        lambda: _update(case, project),
        *(lambda endpoint=endpoint: _add(project, endpoint) for endpoint in case.added()[:1]),
        lambda: _set(project, case.answers, _as_others(case)),
    ]
    if len(case.answers["endpoints"]) > 1:
        deeds.append(lambda: workshop.litgen(project, "remove-endpoint", name))
    for deed in deeds:
        yield from _failed(deed(), CONFLICT)
        if tree_of(project) != before:
            yield from _failed(workshop.litgen(project, "undo"))
        yield from differences(before, tree_of(project))


def what_the_owner_edited_stays(case: Case) -> Iterator[str]:
    """Edited handlers, schemas and tests come through every command as they are, and files of the owner's own."""
    project = case.made(case.answers)
    lasting = tree_of(project).keys() & case.fresh(case.new, answers_of(project)).keys()
    mine = [project / path for path in sorted(lasting) if is_owned(path) and path.endswith(".py")]
    mine.append(project / "src" / "mine.py")
    for place in mine:
        with place.open("a", encoding="utf-8") as file:
            file.write("MINE = 1\n")
    before = {place: place.read_bytes() for place in mine}
    yield from _failed(_update(case, project))
    yield from _failed(_set(project, case.answers, _as_others(case)), CONFLICT)  # a file may have no use any more
    for place, content in before.items():
        if not place.is_file() or place.read_bytes() != content:
            yield f"{place.relative_to(project)} is no longer what its owner wrote"


def by_hand_is_as_by_command(case: Case) -> Iterator[str]:
    """Choices made in service.toml by hand + update = new with these choices: derived files follow."""
    project = case.made(case.answers)
    there = _with_own_choices(answers_of(project), asked_by(case.old))
    chosen = case.shop.render(case.old, there) / SETTINGS
    (project / SETTINGS).write_bytes(chosen.read_bytes())
    yield from _failed(_update(case, project))
    yield from differences(case.fresh(case.new, there), tree_of(project))


LAWS: tuple[Law, ...] = (
    update_reaches_new,
    update_twice_is_once,
    adding_one_by_one,
    adding_and_removing_is_nothing,
    setting_there_and_back_is_nothing,
    undoing_is_nothing,
    what_the_owner_edited_stays,
    by_hand_is_as_by_command,
)
"""All of them."""


def differences(wanted: Tree, found: Tree) -> Iterator[str]:
    """The files in which two trees differ."""
    for path in sorted(wanted.keys() | found.keys()):
        if wanted.get(path) != found.get(path):
            what = "is missing" if path not in found else "is there" if path not in wanted else "is another"
            yield f"{path} {what}"


def _failed(said: Said, fine: int = 0) -> Iterator[str]:
    if said.code not in (0, fine):
        yield f"exit code {said.code}: {said.error}"


def _update(case: Case, project: Path) -> Said:
    return workshop.litgen(project, "update", "--to", case.new.tag, "--json")


def _add(project: Path, endpoint: Row) -> Said:
    answers = project.with_suffix(".json")
    answers.write_text(json.dumps({"endpoints": [endpoint]}), encoding="utf-8")
    return workshop.litgen(project, "add-endpoint", "--answers", str(answers))


def _in_full(endpoint: Row, case: Case) -> Row:
    """An endpoint as `add-endpoint` writes it down: the newest version's with their defaults."""
    if case.old.tag != case.shop.versions()[-1].tag:
        return endpoint
    whole = Answers.model_validate({"service_name": "x", "endpoints": [endpoint]}).plain()
    found: Row = whole["endpoints"][0]
    return found


def _as_others(case: Case) -> Row:
    """The case's answers with the choices of the other row that the old version knows, but for names."""
    first, *rest = case.answers["endpoints"]
    other = {**_all_told(case.others["endpoints"][0]), "name": first["name"]}
    taken = asked_by(case.old).service - {"service_name", "description", "python_version", "endpoints"}
    return {**case.answers, **{k: v for k, v in case.others.items() if k in taken}, "endpoints": [other, *rest]}


def _all_told(endpoint: Row) -> Row:
    """An endpoint with the defaults that it gets when it is told nothing, but for those that a version may not know."""
    return {"kind": Endpoint.model_fields["kind"].default, **endpoint}


def _with_own_choices(answers: Row, known: Asked) -> Row:
    """The answers with what an owner may well change in service.toml, as far as the version knows it."""
    first, *rest = answers["endpoints"]
    is_later = "jobs" in known.endpoint and first.get("kind") != "stream"
    later = {"jobs": not first.get("jobs")} if is_later else {}
    return {
        **answers,
        **({"webhooks": bool(later["jobs"])} if later else {}),
        "drain_timeout_s": 120.0,
        "endpoints": [{**first, "timeout_s": 7.5, "devices": "cpu", "workers_per_device": 2, **later}, *rest],
    }


def _set(project: Path, before: Row, there: Row) -> Said:
    """Set all that differs between two sets of answers, in one command."""
    name = before["endpoints"][0]["name"]
    words = [*_words("", before, there), *_words(f"{name}.", before["endpoints"][0], there["endpoints"][0])]
    return workshop.litgen(project, "set", "--json", *words) if words else Said(0, b"", "")


def _words(prefix: str, before: Row, there: Row) -> Iterator[str]:
    defaults = (Endpoint if prefix else Answers).model_fields
    for key in sorted(before.keys() | there.keys()):
        value = there.get(key, defaults[key].default)
        if key != "endpoints" and value != before.get(key):
            yield f"{prefix}{key}={value if isinstance(value, str) else json.dumps(value)}"
