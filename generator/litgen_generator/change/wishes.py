"""What a command makes of a project's answers. Each is judged by the model before anything is rendered."""

from collections.abc import Mapping, Sequence
from typing import Any

from litgen_generator.answers.asked import Asked
from litgen_generator.answers.model import Answers, Endpoint
from litgen_generator.answers.problems import parsed
from litgen_generator.answers.sources import Setting
from litgen_generator.errors import UsageError

Given = Mapping[str, Any]


def with_endpoints(answers: Given, added: Sequence[Given], *, in_full: bool) -> Given:
    """The answers with more endpoints.

    Args:
        answers: What there is.
        added: The endpoints, as they were given.
        in_full: Whether their defaults are written down too, as `litgen new` does. A template of another version
            may not know each key, and has defaults of its own.

    Raises:
        BadAnswersError: If one of them cannot be.
    """
    count = len(answers["endpoints"])
    whole = parsed({**answers, "endpoints": [*answers["endpoints"], *added]})
    spelled = whole.plain()["endpoints"][count:] if in_full else added
    return {**answers, "endpoints": [*answers["endpoints"], *spelled]}


def without_endpoint(answers: Given, name: str) -> Given:
    """The answers without an endpoint.

    Raises:
        UsageError: If there is no such endpoint.
        BadAnswersError: If it is the only one.
    """
    _index(answers, name)
    rest = {**answers, "endpoints": [each for each in answers["endpoints"] if each["name"] != name]}
    if not rest["endpoints"]:
        raise UsageError(f"{name} is the only endpoint; expected a service to have one. Add another one first.")
    return judged(rest)


def with_settings(answers: Given, settings: Sequence[Setting], *, judge: bool = True) -> Given:
    """The answers with other values; None takes a key back to its default.

    Args:
        answers: What there is.
        settings: What is to be otherwise.
        judge: Whether the model of this litgen is asked.

    Raises:
        UsageError: If there is no such endpoint.
        BadAnswersError: If one of the values is refused.
    """
    changed = {**answers, "endpoints": [dict(each) for each in answers["endpoints"]]}
    for one in settings:
        _put(_target(changed, one), one)
    if judge:
        good = parsed(changed).plain()
        for one in settings:
            _put(_target(changed, one), one._replace(value=_target(good, one).get(one.key)))
    return changed


def refuse_unknown(given: Sequence[Setting], asked: Asked, tag: str) -> None:
    """Refuse what the version of a project does not know, though this litgen does.

    Raises:
        UsageError: If there is something.
    """
    for one in given:
        known = asked.service if one.endpoint is None else asked.endpoint
        if one.key not in known:
            listed = ", ".join(key for key in (*Answers.model_fields, *Endpoint.model_fields) if key in known)
            raise UsageError(
                f"template {tag}, which the project has, knows no {one.key}; expected one of {listed}. "
                "Run first: litgen update"
            )
        choices = asked.choices.get(one.key) if one.endpoint is not None else None
        if choices and isinstance(one.value, str) and one.value not in choices:
            raise UsageError(
                f"template {tag}, which the project has, knows no {one.key} {one.value!r}; expected one of "
                f"{', '.join(choices)}. A newer one may: litgen update"
            )


def _target(answers: dict[str, Any], one: Setting) -> dict[str, Any]:
    if one.endpoint is None:
        return answers
    found: dict[str, Any] = answers["endpoints"][_index(answers, one.endpoint)]
    return found


def _put(target: dict[str, Any], one: Setting) -> None:
    target[one.key] = one.value
    if one.value is None:
        del target[one.key]


def judged(answers: Given) -> Given:
    """The same answers, if the model of this litgen takes them.

    Raises:
        BadAnswersError: If it does not.
    """
    parsed(answers)
    return answers


def unanswered(answers: Given) -> list[str]:
    """The questions about the service that these answers know nothing of: they are new."""
    return [key for key in Answers.model_fields if key not in answers]


def _index(answers: Given, name: str) -> int:
    names = [each["name"] for each in answers["endpoints"]]
    if name not in names:
        raise UsageError(f"there is no endpoint {name!r}; expected one of {', '.join(names)}. Correct the name.")
    return names.index(name)
