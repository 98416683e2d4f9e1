"""The questions of `litgen new`, asked in a terminal one by one."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import questionary
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from litgen_generator.answers import sources
from litgen_generator.answers.asked import Asked
from litgen_generator.answers.model import (
    DEFAULT_MAX_BATCH_SIZE,
    DEFAULT_MAX_STREAMS,
    DEFAULT_MAX_WAIT_S,
    DEFAULT_RESPONSE_TYPE,
    Answers,
    Endpoint,
    is_moot,
)
from litgen_generator.answers.problems import Told, problems
from litgen_generator.answers.questions import EXAMPLE_NAME
from litgen_generator.answers.rules import rule_of

Judge = Callable[[Any], str | None]
"""Says what is wrong with an answer, if anything."""

_STILL_OPEN: Mapping[str, Any] = {"timeout_s": False}
"""What stands in for a later answer, so that an earlier one is not measured against its default."""

_UNLESS_GIVEN: Mapping[str, Any] = {
    "response_type": DEFAULT_RESPONSE_TYPE,
    "max_batch_size": DEFAULT_MAX_BATCH_SIZE,
    "max_wait_s": DEFAULT_MAX_WAIT_S,
    "max_streams": DEFAULT_MAX_STREAMS,
}
"""What a key that was not given comes to; the model says none, since not every endpoint has the key."""


def ask(given: Mapping[str, Any], missing: Sequence[str]) -> dict[str, Any]:
    """Ask what is missing and add it to what was given; what another answer makes moot is not asked.

    Args:
        given: Answers that are known to be good.
        missing: The keys to ask for, in this order.

    Raises:
        KeyboardInterrupt: On Ctrl-C.
    """
    answers = {**given}
    for key in missing:
        if is_moot(key, answers):
            continue
        field = Answers.model_fields[key]
        if key == "endpoints":
            answers[key] = _ask_endpoints()
        else:
            default = "" if field.is_required() else field.default
            answers[key] = _ask_one(Answers, key, default, _judge_service(key))
    return answers


def confirm(answers: Answers, target: Path, *, yes: bool) -> bool:
    """Show what is about to be written and ask, unless `yes`, whether to go on."""
    questionary.print(f"\n{summary(answers)}\n  folder: {target}\n")
    return yes or bool(questionary.confirm("Write it?").unsafe_ask())


def summary(answers: Answers) -> str:
    """The answers, a line each, with a line for each endpoint."""
    lines = []
    for key, value in answers.model_dump(exclude_none=True).items():
        endpoints = value if key == "endpoints" else []
        lines += [
            "  endpoint: " + ", ".join(f"{name}={_as_text(item)}" for name, item in endpoint.items())
            for endpoint in endpoints
        ] or [f"  {key}: {_as_text(value)}"]
    return "\n".join(lines)


def _ask_endpoints() -> list[dict[str, Any]]:
    endpoints: list[dict[str, Any]] = []
    another = True
    while another:
        questionary.print(f"\nEndpoint {len(endpoints) + 1}", style="bold")
        endpoints.append(ask_endpoint({}, endpoints))
        another = questionary.confirm("Add another endpoint?", default=False).unsafe_ask()
    return endpoints


def ask_endpoint(
    given: Mapping[str, Any], before: Sequence[Mapping[str, Any]], asked: Asked | None = None
) -> dict[str, Any]:
    """Ask about one endpoint.

    Args:
        given: What need not be asked.
        before: The other endpoints.
        asked: What the project's version of the template asks; None for all.
    """
    endpoint: dict[str, Any] = dict(given)
    for key, field in Endpoint.model_fields.items():
        if key in given or (asked and key not in asked.endpoint) or _is_settled(key, endpoint):
            continue
        default = _suggested(key, field, endpoint)
        judge = _judge_endpoint(key, endpoint, before)
        endpoint[key] = _ask_one(Endpoint, key, default, judge, asked.choices.get(key) if asked else None)
    return endpoint


def _is_settled(key: str, endpoint: Mapping[str, Any]) -> bool:
    """Whether an earlier answer leaves nothing to ask."""
    match key:
        case "output":
            return bool(endpoint["kind"] == "stream")
        case "response_type":
            return endpoint.get("output") != "bytes"
        case "gpu_memory_fraction":
            return bool(endpoint["devices"] in {"cpu", "mps"})
        case "max_batch_size" | "max_wait_s":
            return bool(endpoint["kind"] != "batch")
        case "max_streams":
            return bool(endpoint["kind"] != "stream")
        case "jobs":
            return bool(endpoint["kind"] == "stream")
        case _:
            return False


def _suggested(key: str, field: FieldInfo, endpoint: Mapping[str, Any]) -> Any:
    if key == "path":
        return f"/{endpoint['name']}"
    return "" if field.is_required() else _UNLESS_GIVEN.get(key, field.default)


def ask_again(answers: Mapping[str, Any], refused: Told) -> sources.Setting:
    """Ask for another answer in place of one that is refused.

    Args:
        answers: What there is.
        refused: Where and why.
    """
    questionary.print(refused.message, style="fg:ansired")
    place, dot, key = refused.at.rpartition(".")
    model, old = (Endpoint, answers["endpoints"][_number(place)]) if dot else (Answers, answers)

    def judge(value: Any) -> str | None:
        changed = {**old, key: value}
        whole = {**answers, "endpoints": _replaced(answers["endpoints"], _number(place), changed)} if dot else changed
        return next((told.message for told in problems(whole) if told.at == refused.at), None)

    value = _ask_one(model, key, old.get(key), judge)
    return sources.Setting(old["name"] if dot else None, key, value)


def _number(place: str) -> int:
    return int(place.removeprefix("endpoints[").removesuffix("]"))


def _replaced(items: Sequence[Any], index: int, item: Any) -> list[Any]:
    return [item if number == index else each for number, each in enumerate(items)]


def _judge_service(key: str) -> Judge:
    """What is wrong with an answer about the service."""

    def judge(value: Any) -> str | None:
        answers = {"service_name": EXAMPLE_NAME, key: value}
        return next((told.message for told in problems(answers) if told.at == key), None)

    return judge


def _judge_endpoint(key: str, endpoint: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> Judge:
    """What is wrong with an answer about an endpoint, beside its own earlier ones and the other endpoints."""

    def judge(value: Any) -> str | None:
        candidate = {**_STILL_OPEN, **endpoint, key: value}
        answers = {"service_name": EXAMPLE_NAME, "endpoints": [*before, candidate]}
        answered = {f"endpoints[{len(before)}].{name}" for name in (*endpoint, key)}
        return next((told.message for told in problems(answers) if told.at in answered), None)

    return judge


def _ask_one(model: type[BaseModel], key: str, default: Any, judge: Judge, among: Sequence[str] | None = None) -> Any:
    """Ask one question until its answer is good; `among`: the choices, if not all that there are today."""
    field = model.model_fields[key]
    questionary.print(field.description or "", style="fg:ansibrightblack")
    choices = among or rule_of(field).schema.get("enum")
    if choices:
        return questionary.select(key, choices=choices, default=default).unsafe_ask()
    if field.annotation is bool:
        return questionary.confirm(key, default=default).unsafe_ask()
    typed = _as_text(default)
    while True:
        typed = questionary.text(key, default=typed).unsafe_ask().strip()
        value = sources.value(model, key, typed)
        problem = judge(value)
        if problem is None:
            return value
        questionary.print(problem, style="fg:ansired")  # a validator's would be cut to one line


def _as_text(value: Any) -> str:
    """A value as it is typed in a flag or at a question."""
    return value if isinstance(value, str) else json.dumps(value)
