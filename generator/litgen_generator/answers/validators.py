"""Copier's validators: what the model says in pydantic, written in Jinja from the same rules.

Copier shows what a validator renders, and refuses the answer unless that is nothing.
"""

import json
from collections.abc import Iterable

from litgen_generator.answers.model import RELATIONS, UNIQUE, Answers, Endpoint
from litgen_generator.answers.problems import NOT_A_MAPPING, missing_key, unknown_key
from litgen_generator.answers.rules import Check, Relation, rule_of

COMPUTED_KEY = Check("true", "no answer, since it is computed from the others", "Leave it out.")


def for_answer(key: str) -> str:
    """The validator of one of the service's own questions."""
    checks = rule_of(Answers.model_fields[key]).checks
    return _told(_let("at", json.dumps(key)), _let("value", key), _first_of(checks))


def for_computed(key: str) -> str:
    """The validator of a computed question, which copier asks only if an answer was forced upon it."""
    return _let("at", json.dumps(key)) + _let("value", key) + COMPUTED_KEY.message + "\n"


def for_endpoints() -> str:
    """The validator of the list of endpoints."""
    not_a_list = rule_of(Answers.model_fields["endpoints"]).checks[0]
    each_endpoint = _each(
        "given in endpoints",
        _let("place", '"endpoints[" ~ loop.index0 ~ "]"'),
        _let("at", "place"),
        _let("value", "given"),
        _either(NOT_A_MAPPING.refused_if, _note(NOT_A_MAPPING.message), otherwise=_endpoint_checks()),
    )
    all_unique = _when("not found.problems", *map(_unique, UNIQUE))
    return _told(
        _let("at", '"endpoints"'),
        _let("value", "endpoints"),
        _either(not_a_list.refused_if, _note(not_a_list.message), otherwise=each_endpoint + all_unique),
    )


def filled(given: str) -> str:
    """Jinja expression of an endpoint with its unset keys at their defaults."""
    defaults = ", ".join(
        f"{json.dumps(key)}: {'none' if field.default is None else json.dumps(field.default)}"
        for key, field in Endpoint.model_fields.items()
        if not field.is_required()
    )
    return f"{{{defaults}}} | combine({given})"


def _endpoint_checks() -> str:
    relations = _when(
        "found.problems | length == so_far", _let("endpoint", filled("given")), *map(_relation, RELATIONS)
    )
    keys = "".join(map(_key_checks, Endpoint.model_fields))
    return _let("so_far", "found.problems | length") + keys + _unknown_keys() + relations


def _key_checks(key: str) -> str:
    field = Endpoint.model_fields[key]
    quoted = json.dumps(key)
    checks = _when(
        f"{quoted} in given",
        _let("at", f'place ~ ".{key}"'),
        _let("value", f"given[{quoted}]"),
        _first_of(rule_of(field).checks),
    )
    if field.is_required():
        missing = _note(f"{{{{ place }}}}.{key} {missing_key(Endpoint, key)}")
        return _when(f"{quoted} not in given", missing) + checks
    return checks


def _unknown_keys() -> str:
    return _each(
        f"key in given if key not in {json.dumps(list(Endpoint.model_fields))}",
        _let("at", 'place ~ "." ~ key'),
        _let("value", "given[key]"),
        _note(unknown_key(Endpoint).message),
    )


def _relation(relation: Relation) -> str:
    return _when(
        relation.refused_if,
        _let("at", f'place ~ ".{relation.key}"'),
        _let("value", relation.value),
        _note(relation.message),
    )


def _unique(relation: Relation) -> str:
    return _let("seen", "namespace(before=[])") + _each(
        "given in endpoints",
        _let("endpoint", filled("given")),
        _let("earlier", "seen.before"),
        _let("at", f'"endpoints[" ~ loop.index0 ~ "].{relation.key}"'),
        _let("value", relation.value),
        _when(relation.refused_if, _note(relation.message)),
        _let("seen.before", "earlier + [value]"),
    )


def _told(*checks: str) -> str:
    """Jinja that runs the checks and shows the problems that they noted."""
    return _let("found", "namespace(problems=[])") + "".join(checks) + '{{ found.problems | join("\\n") }}\n'


def _note(message: str) -> str:
    keep = _let("found.problems", "found.problems + [problem]")
    return f"{{%- set problem -%}}\n{message}\n{{%- endset -%}}\n{keep}"


def _first_of(checks: Iterable[Check]) -> str:
    """Jinja that notes only the first check that refuses `value`."""
    branches = "{%- el".join(f"if {check.refused_if} -%}}\n{_note(check.message)}" for check in checks)
    return f"{{%- {branches}{{%- endif -%}}\n"


def _let(name: str, expression: str) -> str:
    return f"{{%- set {name} = {expression} -%}}\n"


def _when(condition: str, *body: str) -> str:
    return f"{{%- if {condition} -%}}\n{''.join(body)}{{%- endif -%}}\n"


def _either(condition: str, body: str, *, otherwise: str) -> str:
    return f"{{%- if {condition} -%}}\n{body}{{%- else -%}}\n{otherwise}{{%- endif -%}}\n"


def _each(loop: str, *body: str) -> str:
    return f"{{%- for {loop} -%}}\n{''.join(body)}{{%- endfor -%}}\n"
