"""The form of a rule: declared once, asked by pydantic, by copier's validators and by JSON Schema.

The condition of a rule is a Jinja expression and its message a Jinja text, since copier can run nothing else.
litgen evaluates the very same two, so that an answer is refused by both doors with the same words.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import jinja2
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

REFUSED = "refused_by_rule"
"""The pydantic error type of a refused answer; its context holds `problems`."""


@dataclass(frozen=True)
class Check:
    """One reason to refuse a value.

    Args:
        refused_if: Jinja expression over `value`, true of a bad one.
        expected: Jinja text that follows "expected" in the message.
        fix: What to do, a whole sentence.
    """

    refused_if: str
    expected: str
    fix: str

    @property
    def message(self) -> str:
        """Jinja text that names the key (`at`), the `value`, what was expected and what to do."""
        shown = "{{ value | to_json(ensure_ascii=False) | truncate(80, true) }}"
        return f"{{{{ at }}}} is {shown}; expected {self.expected}. {self.fix}"


@dataclass(frozen=True)
class Relation(Check):
    """A reason to refuse an endpoint whose keys do not go together.

    Its Jinja is over `endpoint`, where a key that was not given has its default.

    Args:
        key: The key that the message names.
        value: Jinja expression of the value that the message shows.
    """

    key: str
    value: str


@dataclass(frozen=True)
class Problem:
    """One refused answer.

    Args:
        check: What refused it.
        value: The refused value.
        key: The key below the place where pydantic noticed it; empty for that place itself.
        names: The other names in the check's message.
    """

    check: Check
    value: object
    key: str = ""
    names: Mapping[str, object] = field(default_factory=dict)

    def place(self, at: str) -> str:
        """The full key, `at` being where pydantic noticed the problem."""
        return ".".join(part for part in (at, self.key) if part)

    def told(self, at: str) -> str:
        """The sentence about it, `at` being where pydantic noticed it."""
        return rendered(self.check.message, at=self.place(at), value=self.value, **self.names)

    @staticmethod
    def error(problems: "list[Problem]") -> PydanticCustomError:
        """What a validator raises to tell of `problems`."""
        return PydanticCustomError(REFUSED, "refused by a rule", {"problems": problems})


@dataclass(frozen=True)
class Rule:
    """All that is known about one key's value, as metadata of a pydantic field (`Annotated[int, rule]`)."""

    checks: tuple[Check, ...]
    schema: Mapping[str, Any] = field(hash=False)

    def but_not(self, words: frozenset[str], expected: str, fix: str, value: str = "value") -> "Rule":
        """The same rule with some words taken out; `value` is the Jinja expression that is looked up."""
        listed = ", ".join(json.dumps(word) for word in sorted(words))
        return replace(self, checks=(*self.checks, Check(f"{value} in [{listed}]", expected, fix)))

    def and_unless(self, check: Check) -> "Rule":
        """The same rule with one more reason to refuse, looked at after the others."""
        return replace(self, checks=(*self.checks, check))

    def or_null(self) -> "Rule":
        """The same rule with null, meaning "not given", allowed."""
        checks = tuple(
            replace(check, refused_if=f"value is not none and ({check.refused_if})") for check in self.checks
        )
        return Rule(checks, {"anyOf": [self.schema, {"type": "null"}]})

    def first_refusal(self, value: object) -> Check | None:
        """The first check that refuses `value`, or None for a good one."""
        return next((check for check in self.checks if evaluated(check.refused_if, value=value)), None)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Pydantic asks the checks first, then converts (an integer number of seconds to a float)."""

        def check(value: Any) -> Any:
            if (refused_by := self.first_refusal(value)) is not None:
                raise Problem.error([Problem(refused_by, value)])
            return value

        return core_schema.no_info_before_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """What JSON Schema can say of the rule."""
        return {**handler(schema), **self.schema}


def text(pattern: str, longest: int, expected: str, fix: str) -> Rule:
    """A string that matches `pattern` (anchored at both ends) and has at most `longest` characters."""
    anchored = json.dumps(rf"\A(?:{pattern})\Z")
    checks = (
        Check(f"value is not string or not value | regex_search({anchored})", expected, fix),
        Check(f"value | length > {longest}", f"at most {longest} characters", "Shorten it."),
    )
    return Rule(checks, {"type": "string", "pattern": f"^(?:{pattern})$", "maxLength": longest})


def whole(low: int, high: int, fix: str) -> Rule:
    """A whole number in `low..high`, both included; true and 1.0 are none."""
    refused_if = f"value is not integer or not {low} <= value <= {high}"
    schema = {"type": "integer", "minimum": low, "maximum": high}
    return Rule((Check(refused_if, f"a whole number from {low} to {high}", fix),), schema)


def number(low: float, high: float, expected: str, fix: str, *, above_low: bool = False) -> Rule:
    """A finite number in `low..high`; `above_low` leaves `low` itself out."""
    sign, minimum = ("<", "exclusiveMinimum") if above_low else ("<=", "minimum")
    refused_if = f"value is not number or value is boolean or not {low} {sign} value <= {high}"
    return Rule((Check(refused_if, expected, fix),), {"type": "number", minimum: low, "maximum": high})


def number_or(words: Mapping[str, Any], rule: Rule) -> Rule:
    """`rule`, or one of some literal values, given as their Jinja literal and their JSON Schema."""
    allowed = " or ".join(
        f"value is sameas {word}" if word in {"true", "false"} else f"value == {word}" for word in words
    )
    checks = tuple(replace(check, refused_if=f"not ({allowed}) and ({check.refused_if})") for check in rule.checks)
    return Rule(checks, {"anyOf": [rule.schema, *({"const": value} for value in words.values())]})


def one_of(*choices: str, fix: str) -> Rule:
    """One of some words."""
    listed = ", ".join(json.dumps(choice) for choice in choices)
    return Rule(
        (Check(f"value is not string or value not in [{listed}]", f"one of {listed}", fix),),
        {"type": "string", "enum": list(choices)},
    )


def switch(fix: str) -> Rule:
    """True or false, and no word or number that merely means one of them."""
    return Rule((Check("value is not boolean", "true or false", fix),), {"type": "boolean"})


@cache
def environment() -> jinja2.Environment:
    """Jinja as copier sets it up, as far as the rules use it."""
    env = jinja2.Environment(  # noqa: S701 - messages for a terminal, no HTML
        extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"], undefined=jinja2.StrictUndefined
    )
    to_json = env.filters["to_json"]
    env.filters["to_json"] = lambda value, **options: to_json(value, default=str, **options)
    return env


@cache
def _expression(source: str) -> jinja2.environment.TemplateExpression:
    return environment().compile_expression(source)


def evaluated(expression: str, **names: object) -> Any:
    """The value of a rule's Jinja expression."""
    return _expression(expression)(**names)


def rendered(source: str, **names: object) -> str:
    """A rule's Jinja text."""
    return environment().from_string(source).render(**names)


def rule_of(key: FieldInfo) -> Rule:
    """The rule of a model's key."""
    return next(item for item in key.metadata if isinstance(item, Rule))
