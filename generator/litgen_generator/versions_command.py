"""`litgen versions`: which versions of the template there are, and which one a project has."""

import json
from pathlib import Path
from typing import Any

import click

from litgen_generator.change.project import Project
from litgen_generator.errors import LitgenError
from litgen_generator.release import carried, changelog, notices


def run(*, as_json: bool) -> None:
    """Tell them, oldest first."""
    own = _own_version()
    found = [_told(each.tag, own) for each in carried.versions()]
    if as_json:
        click.echo(json.dumps({"project": own, "versions": found}, indent=2))
        return
    width = max(len(each["version"]) for each in found)
    for each in found:
        mark = "*" if each["is_projects"] else " "
        click.echo(
            f"{mark} {each['version']:<{width}}  {each['released'] or 'in development'}  {each['summary']}".rstrip()
        )
    if own and not any(each["is_projects"] for each in found):
        click.echo(f"* {own:<{width}}  is this project's, which it carries itself")


def _own_version() -> str | None:
    """The version of the project of this folder, if it is in one."""
    try:
        return Project.find(Path.cwd()).tag
    except LitgenError:
        return None


def _told(tag: str, own: str | None) -> dict[str, Any]:
    notes = notices.notes(tag)
    return {
        "version": tag,
        "released": changelog.released_on(notes),
        "summary": changelog.summary(notes),
        "is_projects": tag == own,
    }
