"""What can be said of a project without changing it: its version, what was edited, what is out of step."""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from litgen_generator.change import folding, runtime_pin
from litgen_generator.change.engine import Plan
from litgen_generator.change.merge import is_owned
from litgen_generator.change.project import ANSWERS, SETTINGS, Project
from litgen_generator.change.runtime_pin import VENDOR
from litgen_generator.change.trees import Tree
from litgen_generator.render import BUNDLE

_GRACE = re.compile(rb"^ *(terminationGracePeriodSeconds|stop_grace_period): *(\d+)", re.MULTILINE)

_MARKER = re.compile(rb"^(<<<<<<< yours|>>>>>>> template v)", re.MULTILINE)

UP_TO_DATE, CONFLICTS, OUT_OF_STEP, OUTDATED = 0, 4, 5, 6
"""Exit codes of `litgen status --check`, of which the gravest counts: in the order 4, 5, 6."""


@dataclass(frozen=True)
class Status:
    """How a project stands.

    Args:
        version: Of the template that it was made by.
        newest: That this litgen has.
        conflicts: Files with conflicts of litgen that are not resolved.
        out_of_step: What does not fit together, a sentence each.
        edited: Files that litgen made and the owner has changed, apart from models, schemas and service.toml.
        deleted: Files that litgen made and the owner has deleted.
    """

    version: str
    newest: str
    is_outdated: bool
    conflicts: list[str] = field(default_factory=list)
    out_of_step: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    @property
    def code(self) -> int:
        """The exit code of `--check`."""
        if self.conflicts:
            return CONFLICTS
        if self.out_of_step:
            return OUT_OF_STEP
        return OUTDATED if self.is_outdated else UP_TO_DATE


def drift(base: Tree, ours: Tree) -> tuple[list[str], list[str]]:
    """The files that litgen made and the owner has edited, and those deleted; the owner's own are left out."""
    theirs = [path for path in base if not is_owned(path) and path not in (SETTINGS, ANSWERS)]
    edited = sorted(path for path in theirs if path in ours and ours[path] != base[path])
    return edited, sorted(path for path in theirs if path not in ours)


def is_marked(content: bytes) -> bool:
    """Whether a file holds a conflict marker of litgen."""
    return _MARKER.search(content) is not None


def out_of_step(project: Project, plan: Plan | None) -> Iterator[str]:
    """What does not fit together.

    Args:
        project: The project.
        plan: What `litgen update` to the same version would do; None where service.toml cannot be read.
    """
    try:
        settings = tomllib.loads((project.root / SETTINGS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        yield f"{SETTINGS} is missing: put it back with git checkout HEAD -- {SETTINGS}"
        return
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        yield f"{SETTINGS} is not TOML: {error}. Correct it."
        return
    yield from _endpoints(project, settings)
    wrong = runtime_pin.problem(project.root)
    if wrong:
        yield f"{wrong}. Name in it the one that is there, or take the other back with git"
    if plan:
        yield from (note for note in plan.notes if folding.is_refusal(note))
        yield from _short_graces(plan)
        yield from _changes(project, plan)


def _endpoints(project: Project, settings: Mapping[str, Any]) -> Iterator[str]:
    tables = settings.get("endpoints")
    tables = tables if isinstance(tables, dict) else {}
    answered = [each["name"] for each in project.answers["endpoints"]]
    for name in sorted(tables.keys() - set(answered)):
        yield f"endpoint {name} of {SETTINGS} is in no answer: `litgen update` adopts it"
    for name in answered:
        if name not in tables:
            yield f"endpoint {name} is not in {SETTINGS}: `litgen remove-endpoint {name}` takes the rest of it away"
    for name, table in tables.items():
        missing = _missing_handler(project.root, table)
        if missing:
            yield f"endpoint {name} has no handler: {missing}"


def _short_graces(plan: Plan) -> Iterator[str]:
    """Where an owner gives the service less time to stop than it needs."""
    for path in sorted(plan.base.keys() & plan.ours.keys()):
        needed, given = (dict(_GRACE.findall(side[path].content)) for side in (plan.base, plan.ours))
        for key in needed.keys() & given.keys():
            if int(given[key]) < int(needed[key]):
                yield (
                    f"{path}: {key.decode()} is {int(given[key])} s, less than a drain takes, so that the service is "
                    f"killed in the middle of one; expected at least {int(needed[key])} s. Raise it."
                )


def _changes(project: Project, plan: Plan) -> Iterator[str]:
    """What `litgen update` to the same version would change."""
    changes = {change.path: change for change in plan.changes if change.path != ANSWERS}
    if changes.pop(BUNDLE, None):
        yield f"{BUNDLE} does not hold {project.tag}, the project's version: `litgen update` mends it"
    for path in [path for path, change in changes.items() if path.startswith(VENDOR) and change.after is None]:
        del changes[path]
        yield f"{path} is of another version: `litgen update` takes it away"
    if behind := sorted(changes):
        yield f"these do not follow {SETTINGS}: {', '.join(behind)}. `litgen update` brings them in step"


def _missing_handler(root: Path, table: Mapping[str, Any]) -> str | None:
    """What is missing of a handler in the project's own package; elsewhere nothing is looked for."""
    handler = table.get("handler")
    if not isinstance(handler, str):
        return "the table names none"
    module, _, name = handler.partition(":")
    parts = module.split(".")
    if not (root / "src" / parts[0]).is_dir():
        return None
    place = root.joinpath("src", *parts)
    file = next((each for each in (place.with_suffix(".py"), place / "__init__.py") if each.is_file()), None)
    if file is None:
        return f"there is no {place.relative_to(root)}.py"
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return f"{file.relative_to(root)} is not Python"
    return None if name in _names(tree) else f"{file.relative_to(root)} has no {name}"


def _names(tree: ast.Module) -> set[str]:
    """What a module defines or imports at its top."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found.add(name)
            case ast.alias(name=name, asname=asname):
                found.add(asname or name)
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
    return found
