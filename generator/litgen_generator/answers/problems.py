"""Bad answers told one by one: key, value, what was expected and what to do."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from litgen_generator.answers.model import Answers, Endpoint
from litgen_generator.answers.rules import REFUSED, Check, Problem, rule_of
from litgen_generator.errors import BadAnswersError

NOT_A_MAPPING = Check("value is not mapping", "a mapping of keys to values", "Write it as {name: embed, path: /embed}.")


class Told(NamedTuple):
    """A refused answer: its key, such as `endpoints[0].path`, and the sentence about it."""

    at: str
    message: str


def parsed(answers: Mapping[str, Any]) -> Answers:
    """The answers, known to be good.

    Raises:
        BadAnswersError: With every problem that was found.
    """
    try:
        return Answers.model_validate(answers)
    except ValidationError as error:
        raise BadAnswersError([told.message for told in _explained(error)]) from None


def problems(answers: Mapping[str, Any]) -> list[Told]:
    """What is wrong with the answers; nothing for good ones."""
    try:
        Answers.model_validate(answers)
    except ValidationError as error:
        return _explained(error)
    return []


def unknown_key(model: type[BaseModel]) -> Check:
    """The refusal of a key that `model` does not have."""
    keys = ", ".join(model.model_fields)
    return Check("true", f"no such key; the keys are {keys}", "Remove it or correct its spelling.")


def missing_key(model: type[BaseModel], key: str) -> str:
    """What follows a key that must be given and was not."""
    check = rule_of(model.model_fields[key]).checks[0]
    return f"is missing; expected {check.expected}. {check.fix}"


def _explained(error: ValidationError) -> list[Told]:
    return [told for detail in error.errors() for told in _told(detail)]


def _told(detail: ErrorDetails) -> list[Told]:
    loc = detail["loc"]
    at = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
    model = Endpoint if loc[:1] == ("endpoints",) else Answers
    match detail["type"]:
        case "missing":
            return [Told(at, f"{at} {missing_key(model, str(loc[-1]))}")]
        case "extra_forbidden" | "invalid_key":
            found = [Problem(unknown_key(model), detail["input"])]
        case kind if kind == REFUSED:
            found = detail["ctx"]["problems"]
        case _:
            found = [Problem(NOT_A_MAPPING, detail["input"])]
    return [Told(problem.place(at), problem.told(at)) for problem in found]
