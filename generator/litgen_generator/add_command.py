"""`litgen add-endpoint`: what was given and asked, made into a wish."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from litgen_generator import change_command
from litgen_generator.answers import sources
from litgen_generator.answers.asked import asked_by
from litgen_generator.answers.model import Endpoint, is_moot
from litgen_generator.change import wishes
from litgen_generator.change.engine import Wish
from litgen_generator.change.project import Project
from litgen_generator.errors import UsageError
from litgen_generator.release.current import current


def run(
    name: str | None,
    endpoints: Sequence[str],
    answers_file: Path | None,
    *,
    defaults: bool,
    manner: change_command.Manner,
) -> None:
    """Add endpoints to the project of this folder.

    Raises:
        LitgenError: If they cannot be added; then nothing was written.
    """
    added = _given(name, endpoints, answers_file)
    change_command.run(
        lambda project: _wish(project, added, name, asks=not (endpoints or answers_file or defaults)), manner
    )


def _given(name: str | None, endpoints: Sequence[str], answers_file: Path | None) -> list[dict[str, Any]]:
    found = [sources.endpoint(text) for text in endpoints]
    if answers_file:
        listed = sources.from_file(answers_file).get("endpoints")
        if not isinstance(listed, list):
            raise UsageError(f"--answers {answers_file} holds no list of endpoints; expected endpoints: [{{name: …}}].")
        found = [*listed, *found]
    if name is not None:
        if len(found) > 1 or (found and found[0].get("name", name) != name):
            raise UsageError(f"NAME is {name!r} and --endpoint names others; expected one of the two. Leave one out.")
        found = [{"name": name, **(found[0] if found else {})}]
    return found


def _wish(project: Project, added: list[dict[str, Any]], name: str | None, *, asks: bool) -> Wish:
    own, in_full = project.template, project.tag == current().tag
    besides: list[sources.Setting] = []
    if not in_full and added:
        given_keys = [sources.Setting("", key, value) for each in added for key, value in each.items()]
        wishes.refuse_unknown(
            [one for one in given_keys if one.key in Endpoint.model_fields], asked_by(own), project.tag
        )
    if asks or not added:
        if not change_command.is_interactive():
            missing = "--defaults, or --endpoint KEY=VALUE,..." if added else "NAME and --defaults"
            raise UsageError(f"there is no terminal to ask in. Give {missing}.")
        from litgen_generator import wizard

        given = added[0] if added else {}
        known = None if in_full else asked_by(own)
        added = [wizard.ask_endpoint(given, project.answers["endpoints"], known)]
        besides = _asked_besides(project.answers, added) if known is None else []
    names = " ".join(str(each.get("name")) for each in added)
    return Wish(
        f"litgen add-endpoint {names}",
        own,
        lambda answers: wishes.with_settings(
            wishes.with_endpoints(answers, added, in_full=in_full), besides, judge=False
        ),
    )


def _asked_besides(answers: Mapping[str, Any], added: Sequence[Mapping[str, Any]]) -> list[sources.Setting]:
    """The answer about the whole service that was moot without the new endpoint: webhooks, where it takes jobs."""
    whole = {**answers, "endpoints": [*answers["endpoints"], *added]}
    if not is_moot("webhooks", answers) or is_moot("webhooks", whole):
        return []
    from litgen_generator import wizard

    return [sources.Setting(None, "webhooks", wizard.ask(whole, ["webhooks"])["webhooks"])]
