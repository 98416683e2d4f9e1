"""Where answers come from besides the wizard: flags and a file. They are read here, and judged by the model."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel

from litgen_generator.answers.model import Answers, Endpoint
from litgen_generator.answers.rules import rule_of
from litgen_generator.errors import UsageError

_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None, "none": None}


class _Loader(yaml.SafeLoader):
    """YAML without aliases, a few of which can stand for more than fits in memory, and with each key once."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse an alias."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "an alias stands where an answer is expected", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that comes twice."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key.value, str) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} comes twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def from_file(path: Path) -> dict[str, Any]:
    """The answers in a YAML or JSON file.

    Raises:
        UsageError: If it cannot be read, or holds something else than a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
        answers = _json(text) if path.suffix == ".json" else yaml.load(text, _Loader)  # noqa: S506 - a safe one
    except OSError as error:
        raise UsageError(f"--answers {path} cannot be read: {error.strerror}. Name a file that exists.") from None
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        what = "JSON" if path.suffix == ".json" else "YAML"
        raise UsageError(f"--answers {path} is not {what} that litgen reads: {error}. Correct it.") from None
    if not isinstance(answers, dict):
        raise UsageError(
            f"--answers {path} holds {type(answers).__name__}; expected a mapping of keys to answers. "
            "`litgen schema` says which keys there are."
        )
    return answers


def _json(text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, given in pairs:
            if key in found:
                raise ValueError(f"{key!r} comes twice")
            found[key] = given
        return found

    return json.loads(text, object_pairs_hook=unique)


def endpoint(text: str) -> dict[str, Any]:
    """The endpoint that `--endpoint name=embed,devices=cuda:0,2` describes.

    A comma ends a value only where another `key=` follows.

    Raises:
        UsageError: If a part has no key, or a key comes twice.
    """
    found: dict[str, Any] = {}
    for part in re.split(r",(?=[^,=]*=)", text):
        key, equals, given = part.partition("=")
        key = key.strip()
        if not equals or not key or key in found:
            what = "comes twice" if key in found else "is no key=value"
            raise UsageError(
                f"--endpoint is {text!r}, in which {part!r} {what}; expected pairs joined by commas. "
                "Write it as --endpoint name=embed,kind=batch."
            )
        found[key] = value(Endpoint, key, given)
    return found


class Setting(NamedTuple):
    """One answer that is given on the command line: of an endpoint, or of the service if that is None."""

    endpoint: str | None
    key: str
    value: Any


def setting(text: str) -> Setting:
    """What `KEY=VALUE` or `ENDPOINT.KEY=VALUE` sets.

    Raises:
        UsageError: If it is neither, or there is no such key.
    """
    place, equals, typed = text.partition("=")
    name, dot, key = place.strip().removeprefix("endpoints.").rpartition(".")
    model = Endpoint if dot else Answers
    if not equals or key not in model.model_fields or (not dot and key == "endpoints"):
        service = ", ".join(name for name in Answers.model_fields if name != "endpoints")
        raise UsageError(
            f"{text!r} sets nothing; expected KEY=VALUE with one of {service}; or ENDPOINT.KEY=VALUE with one of "
            f"{', '.join(Endpoint.model_fields)}. Write it as: litgen set drain_timeout_s=60 embed.devices=cuda. "
            "What else stands in service.toml is set there."
        )
    return Setting(name if dot else None, key, None if _takes_back(model, key, typed) else value(model, key, typed))


def settings(texts: Sequence[str]) -> list[Setting]:
    """What several such texts set.

    Raises:
        UsageError: If one of them sets nothing, or one key is set twice.
    """
    found = [setting(text) for text in texts]
    for one, text in zip(found, texts, strict=True):
        if sum((one.endpoint, one.key) == (other.endpoint, other.key) for other in found) > 1:
            raise UsageError(f"{text.partition('=')[0]} is set twice; expected each key once. Leave one out.")
    return found


def _takes_back(model: type[BaseModel], key: str, typed: str) -> bool:
    """Whether a text means that an answer is to be its default: `none`, unless that is one of the choices."""
    field = model.model_fields[key]
    return (
        typed.strip().lower() in ("none", "null")
        and not field.is_required()
        and "none" not in rule_of(field).schema.get("enum", ())
    )


def value(model: type[BaseModel], key: str, text: str) -> Any:
    """What a text, typed in a flag or at a question, means for a key of the model."""
    field = model.model_fields.get(key)
    word = text.strip().lower()
    if field is not None and field.annotation in (str, str | None):
        return None if field.annotation == str | None and word in ("null", "none") else text
    if word in _WORDS:
        return False if key == "timeout_s" and _WORDS[word] is None else _WORDS[word]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
