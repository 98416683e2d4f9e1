"""`litgen status`: how the project of this folder stands."""

import json
import sys
from dataclasses import asdict

import click

from litgen_generator.change import status
from litgen_generator.change.engine import Wish, planned
from litgen_generator.change.project import Project
from litgen_generator.change_command import change_taken_back, opened
from litgen_generator.errors import LitgenError
from litgen_generator.release.carried import order
from litgen_generator.release.current import current


def run(*, check: bool, as_json: bool) -> None:
    """Tell it; with `check`, end with a code that says it too."""
    with opened(writes=False) as (project, state):
        taken_back = change_taken_back(project, state)
        conflicts = () if taken_back or not state.last else state.last.conflicts
        found = _status(project, conflicts)
        if taken_back:
            found.out_of_step.append(taken_back)
    if as_json:
        click.echo(json.dumps({**asdict(found), "code": found.code}, indent=2))
    else:
        click.echo("\n".join(_told(found)))
    if check:
        sys.exit(found.code)


def _status(project: Project, conflicts: tuple[str, ...]) -> status.Status:
    newest = current().tag
    is_outdated = order(project.tag) < order(newest)
    try:
        wish = Wish("litgen update", project.template, lambda answers: answers, is_update=True)
        with planned(project, wish) as plan:
            edited, deleted = status.drift(plan.base, plan.ours)
            marked = [path for path, entry in plan.ours.items() if status.is_marked(entry.content)]
            steps = list(status.out_of_step(project, plan))
    except LitgenError as error:  # such as a service.toml that cannot be read
        edited, deleted, marked = [], [], []
        steps = list(status.out_of_step(project, None)) or [str(error)]
    open_conflicts = sorted({*conflicts, *marked})
    return status.Status(project.tag, newest, is_outdated, open_conflicts, steps, edited, deleted)


def _told(found: status.Status) -> list[str]:
    newer = f"; {found.newest} is there: litgen update" if found.is_outdated else ", the newest"
    lines = [f"template {found.version}{newer}"]
    lines += [f"conflict  {path}: decide, then litgen continue" for path in found.conflicts]
    lines += [f"mind      {sentence}" for sentence in found.out_of_step]
    lines += [f"edited    {path}" for path in found.edited]
    lines += [f"deleted   {path}" for path in found.deleted]
    return lines if len(lines) > 1 else [*lines, "nothing was edited apart from what is yours"]
