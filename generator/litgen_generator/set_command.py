"""`litgen set`: other answers, made into a wish."""

from collections.abc import Iterator, Sequence

from litgen_generator import change_command
from litgen_generator.answers import sources
from litgen_generator.answers.asked import asked_by
from litgen_generator.answers.model import MOOT, Answers, Endpoint, is_moot
from litgen_generator.change import wishes
from litgen_generator.change.engine import Wish
from litgen_generator.change.project import Project
from litgen_generator.change_command import Manner
from litgen_generator.errors import UsageError
from litgen_generator.release.current import current


def run(settings: Sequence[str], manner: Manner) -> None:
    """Give other answers in the project of this folder.

    Raises:
        LitgenError: If they cannot be given; then nothing was written.
    """
    given = sources.settings(settings)
    change_command.run(lambda project: _wish(project, settings, given, manner), manner)


def _wish(project: Project, settings: Sequence[str], given: Sequence[sources.Setting], manner: Manner) -> Wish:
    names = [each["name"] for each in project.answers["endpoints"]]
    for one in given:
        if one.endpoint in names and one.key == "name" and one.value != one.endpoint:
            raise UsageError(
                f"endpoint {one.endpoint} cannot be renamed; expected it to keep its name. Add the other one "
                f"(litgen add-endpoint {one.value}), move your code there, and then: "
                f"litgen remove-endpoint {one.endpoint}. To change only its URL: litgen set {one.endpoint}.path=/…"
            )
    if project.tag != current().tag:
        wishes.refuse_unknown(given, asked_by(project.template), project.tag)
    for sentence in _taken_back(given):
        manner.say(sentence)
    asked_for = sources.Setting(None, "webhooks", True)
    if asked_for in given and is_moot("webhooks", wishes.with_settings(project.answers, given, judge=False)):
        manner.say(MOOT)
    return Wish(
        f"litgen set {' '.join(settings)}", project.template, lambda answers: wishes.with_settings(answers, given)
    )


def _taken_back(given: Sequence[sources.Setting]) -> Iterator[str]:
    for one in given:
        if one.value is None:
            model = Answers if one.endpoint is None else Endpoint
            default = model.model_fields[one.key].default
            name = one.key if one.endpoint is None else f"{one.endpoint}.{one.key}"
            yield f"{name} is no longer given{'' if default is None else f': {default}, its default'}"
