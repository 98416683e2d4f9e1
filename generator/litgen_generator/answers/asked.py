"""What a version of the template asks: an older one knows fewer keys and choices than this litgen."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from litgen_generator.release import bundle
from litgen_generator.release.current import Template

_FILE = "template/questions.yml"
_KEYS = re.compile(r"no such key; the keys are ([a-z_, ]+)\.")
_CHOICES = re.compile(r'value = given\["(\w+)"\][^\n]*\n[^\n]* value not in (\[[^\]]*\])')


@dataclass(frozen=True)
class Asked:
    """The keys of a version.

    Args:
        service: Those about the whole service.
        endpoint: Those about an endpoint.
        choices: What may be answered, where that is one of a few words; for keys about an endpoint.
    """

    service: frozenset[str]
    endpoint: frozenset[str]
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def asked_by(template: Template) -> Asked:
    """What a version asks.

    Raises:
        LitgenError: If its bundle cannot be read.
    """
    text = bundle.file_in(template.bundle, template.tag, _FILE)
    questions: dict[str, Any] = yaml.safe_load(text or b"endpoints: {validator: ''}")
    judged = str(questions["endpoints"]["validator"])
    keys = _KEYS.search(judged)
    return Asked(
        frozenset(key for key, question in questions.items() if question.get("when", True)),
        frozenset(keys[1].split(", ") if keys else ()),
        {key: tuple(yaml.safe_load(listed)) for key, listed in _CHOICES.findall(judged)},
    )
