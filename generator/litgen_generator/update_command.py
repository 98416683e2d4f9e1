"""`litgen update`: to which version, what it asks anew, and what its owner is told before."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from litgen_generator import change_command
from litgen_generator.answers import sources
from litgen_generator.answers.problems import Told, problems
from litgen_generator.change import wishes
from litgen_generator.change.engine import Wish
from litgen_generator.change.project import Project
from litgen_generator.change_command import Manner
from litgen_generator.errors import BadAnswersError, LitgenError
from litgen_generator.release import notices
from litgen_generator.release.carried import order, template_of
from litgen_generator.release.current import Template, current


def run(to: str | None, settings: Sequence[str], manner: Manner) -> None:
    """Bring the project of this folder to a version of the template.

    Args:
        to: The version; the newest unless given.
        settings: Answers that are to be others, as `litgen set` reads them.
        manner: How to go about it.

    Raises:
        LitgenError: If it cannot be brought there; then nothing was written.
    """
    target = template_of(to) if to else current()
    given = sources.settings(settings)
    change_command.run(lambda project: _wish(project, target, given, manner), manner)


def _wish(project: Project, target: Template, given: list[sources.Setting], manner: Manner) -> Wish:
    _check_direction(project, target)
    command = f"litgen update --to {target.tag.removeprefix('v')}"
    for notice in notices.between(project.tag, target.tag):
        manner.say(f"{click.style(f'Before you deploy {notice.version}', bold=True)}\n{notice.text}\n")
    if target.tag != current().tag:  # its own questions are its template's to judge
        return Wish(command, target, lambda answers: wishes.with_settings(answers, given, judge=False), is_update=True)
    asks = change_command.is_interactive() and not manner.yes
    given = [*given, *_asked_again(project.answers, given, asks=asks)]
    if asks:
        given += _asked(project.answers, given)
    return Wish(command, target, lambda answers: wishes.with_settings(answers, given), is_update=True)


def _check_direction(project: Project, target: Template) -> None:
    if order(target.tag) < order(project.tag):
        raise LitgenError(
            f"the project has {project.tag} and {target.tag} is older; expected a newer one. "
            "To go back, use `litgen undo` or git; for a newer litgen: pip install --upgrade litgen-generator"
        )


def _asked_again(answers: Mapping[str, Any], given: Sequence[sources.Setting], *, asks: bool) -> list[sources.Setting]:
    """Answers that were good and are no more: asked, and never quietly replaced.

    Raises:
        BadAnswersError: If there is nobody to ask.
    """
    found: list[sources.Setting] = []
    refused = _refused(answers, given)
    while refused:
        if not asks:
            sentences = [told.message for told in refused]
            raise BadAnswersError([*sentences, "Give others: litgen update --set KEY=VALUE, or ENDPOINT.KEY=VALUE."])
        from litgen_generator import wizard

        found.append(wizard.ask_again(answers, refused[0]))
        refused = _refused(answers, [*given, *found])
    return found


def _refused(answers: Mapping[str, Any], given: Sequence[sources.Setting]) -> list[Told]:
    return problems(wishes.with_settings(answers, given, judge=False))


def _asked(answers: Mapping[str, Any], given: Sequence[sources.Setting]) -> list[sources.Setting]:
    """Answers to the questions that are new; without anybody to ask they get their defaults, which the plan says."""
    keys = [key for key in wishes.unanswered(answers) if key not in {one.key for one in given if one.endpoint is None}]
    if not keys:
        return []
    from litgen_generator import wizard

    answered = wizard.ask(answers, keys)
    return [sources.Setting(None, key, answered[key]) for key in keys if key in answered]
