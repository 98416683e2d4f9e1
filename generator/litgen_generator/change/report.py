"""A plan told to the person at the terminal, or to a program."""

from collections.abc import Iterator
from typing import Any

from litgen_generator.change.engine import Plan

COLOURS = {"add": "green", "change": "yellow", "move": "yellow", "delete": "red", "keep": "cyan", "conflict": "magenta"}
"""The words of a plan and how they are shown."""


def lines(plan: Plan) -> Iterator[tuple[str, str]]:
    """A word for what happens to a file, and the file; conflicts come last."""
    conflicts = {conflict.path for conflict in plan.conflicts}
    moved = {change.source for change in plan.changes if change.source}
    for path, before, after, source in plan.changes:
        if path in conflicts or (after is None and path in moved):
            continue
        if source:
            yield "move", f"{source} → {path}"
        else:
            yield "add" if before is None else "delete" if after is None else "change", path
    for kept in plan.kept:
        yield "keep", f"{kept.path} ({kept.why}; the template's has changed)"
    for path, why, key, _ in plan.conflicts:
        yield "conflict", f"{path}{f': {key}' if key else ''} ({why})"


def as_data(plan: Plan, *, applied: bool) -> dict[str, Any]:
    """The plan as JSON has it."""
    words = {"add": "added", "change": "changed", "delete": "deleted"}
    return {
        "command": plan.wish.command,
        "from": plan.project.tag,
        "to": plan.wish.template.tag,
        "applied": applied,
        "changes": [
            {
                "path": change.path,
                "what": words["add" if change.before is None else "delete" if change.after is None else "change"],
                **({"moved_from": change.source} if change.source else {}),
            }
            for change in plan.changes
        ],
        "kept": [kept._asdict() for kept in plan.kept],
        "conflicts": [conflict._asdict() for conflict in plan.conflicts],
        "notes": plan.notes,
    }
