"""Copier's questions, written from the answers' model.

`python -m litgen_generator.answers.questions` writes them.
"""

import sys
from typing import Any

import yaml

from litgen_generator.answers import validators
from litgen_generator.answers.model import (
    DEFAULT_MAX_BATCH_SIZE,
    DEFAULT_MAX_STREAMS,
    DEFAULT_MAX_WAIT_S,
    DEFAULT_RESPONSE_TYPE,
    Answers,
)
from litgen_generator.release.source import Source

FILE = "template/questions.yml"

HEADER = "# Written by `make questions` from generator/litgen_generator/answers/model.py: edit that, not this.\n"

EXAMPLE_NAME = "my-service"

READ_AS_TEXT = frozenset({"service_name", "description", "python_version", "deployment", "ci"})
"""Questions whose answer copier takes as it stands; others are read as YAML, so that a wrong type is seen."""

STOP_MARGIN_S = 15
"""Seconds a pod needs to stop besides the drain: 5 before it (the load balancer), 5 to kill, 5 to spare."""

RESOLVED_ENDPOINTS = f"""\
{{%- set resolved = namespace(endpoints=[]) -%}}
{{%- for given in endpoints -%}}
{{%- set endpoint = {validators.filled("given")} -%}}
{{%- set batch = endpoint.kind == "batch" -%}}
{{%- set resolved.endpoints = resolved.endpoints + [endpoint | combine({{
  "path": endpoint.path or "/" ~ endpoint.name,
  "class_name": endpoint.name.split("_") | map("capitalize") | join,
  "max_batch_size": (endpoint.max_batch_size or {DEFAULT_MAX_BATCH_SIZE}) if batch else none,
  "max_wait_s": ({DEFAULT_MAX_WAIT_S} if endpoint.max_wait_s is none else endpoint.max_wait_s | float)
    if batch else none,
  "max_streams": (endpoint.max_streams or {DEFAULT_MAX_STREAMS}) if endpoint.kind == "stream" else none,
  "response_type": (endpoint.response_type or "{DEFAULT_RESPONSE_TYPE}") if endpoint.output == "bytes" else none,
  "has_schemas": endpoint.input == "json" or endpoint.output == "json",
  "timeout_s": endpoint.timeout_s | float if endpoint.timeout_s | float > 0 else false,
  "run_limit_s": none if endpoint.run_limit_s is none
    else (endpoint.run_limit_s | float if endpoint.run_limit_s | float > 0 else false),
}})] -%}}
{{%- endfor -%}}
{{{{ resolved.endpoints | to_json }}}}
"""

COMPUTED = {
    "package_name": ("str", '{{ service_name | replace("-", "_") }}'),
    "kubernetes_name": ("str", '{{ service_name | replace("_", "-") }}'),
    "resolved_endpoints": ("json", RESOLVED_ENDPOINTS),
    "spooling": ("int", '{{ resolved_endpoints | rejectattr("input", "eq", "json") | list | length }}'),
    "uses_torch": ("bool", '{{ "torch" in resolved_endpoints | map(attribute="framework") }}'),
    "takes_jobs": ("bool", '{{ resolved_endpoints | selectattr("jobs") | list | length > 0 }}'),
    "sends_webhooks": ("bool", "{{ takes_jobs and webhooks }}"),
    "termination_grace_s": ("int", f'{{{{ (drain_timeout_s + {STOP_MARGIN_S}) | round(0, "ceil") | int }}}}'),
    "deploy_docker": ("bool", '{{ deployment != "none" }}'),
    "deploy_kubernetes": ("bool", '{{ deployment == "kubernetes" }}'),
    "ci_github": ("bool", '{{ ci == "github" }}'),
}
"""What the template needs besides the answers: by name, copier's type and the Jinja that computes it."""


class _Dumper(yaml.SafeDumper):
    """YAML as a person would write it: texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def questions() -> dict[str, dict[str, Any]]:
    """Every question of the template, in the order in which copier asks."""
    asked = {key: _asked(key) for key in Answers.model_fields}
    computed = {
        key: {"type": kind, "when": False, "default": jinja, "validator": validators.for_computed(key)}
        for key, (kind, jinja) in COMPUTED.items()
    }
    return {**asked, **computed}


def document() -> str:
    """The text of template/questions.yml."""
    return HEADER + yaml.dump(questions(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _asked(key: str) -> dict[str, Any]:
    field = Answers.model_fields[key]
    default: Any = EXAMPLE_NAME if field.is_required() else field.get_default()
    if key == "endpoints":
        default = [endpoint.model_dump(exclude_unset=True) for endpoint in default]
    return {
        "type": "str" if key in READ_AS_TEXT else "yaml",
        "help": field.description,
        "default": default,
        "validator": validators.for_endpoints() if key == "endpoints" else validators.for_answer(key),
    }


if __name__ == "__main__":
    source = Source.of_checkout()
    if source is None:
        sys.exit("this litgen was installed from a wheel; expected a checkout. Run it from there.")
    (source.root / FILE).write_text(document(), encoding="utf-8")
