"""Reading service.toml with the environment on top, and saying what is wrong with it.

A message is: key and value → what was expected → where to fix it.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from litgen_runtime.errors import SettingsError
from litgen_runtime.settings.model import EndpointSettings, Settings

PREFIX = "LITGEN__"
_SECRET = ("auth", "auth.keys", "webhooks", "webhooks.secrets")  # where somebody may have put a key itself


def load(path: Path, environ: Mapping[str, str] | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read and check a service's choices.

    Args:
        path: service.toml.
        environ: variables such as ``LITGEN__ENDPOINTS__EMBED__TIMEOUT_S=60`` win over the file.
        overrides: dotted keys that win over both, as ``{"service.port": 9000}``.

    Raises:
        SettingsError: the file is missing or not TOML, or a value cannot work; all problems are listed.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"{path} does not exist; expected the service's choices there. Run from the "
            "service's folder, or pass --config or LITGEN_CONFIG."
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read as TOML: {error}. Fix it there.") from None
    sources = dict(_from_environment(os.environ if environ is None else environ))
    _refuse_strays(sources, raw, path)
    for key, value in sources.items():
        _put(raw, key.split("."), value[1], value[0])
    for dotted, value in (overrides or {}).items():
        _put(raw, dotted.split("."), value, "the command line")
    settings = validate(raw, str(path), {key: variable for key, (variable, _) in sources.items()})
    return _anchored(settings, path.parent)


def validate(raw: Mapping[str, Any], where: str, origins: Mapping[str, str] | None = None) -> Settings:
    """Check choices that are already a mapping.

    Args:
        raw: the tables of service.toml.
        where: what a message names as the place to fix.
        origins: dotted keys that came from elsewhere, with the name of that place.
    """
    try:
        return Settings.model_validate(dict(raw))
    except ValidationError as error:
        origins = origins or {}
        lines = [_sentence(detail, where, origins) for detail in error.errors(include_url=False)]
        raise SettingsError("\n".join(lines)) from None


def _anchored(settings: Settings, folder: Path) -> Settings:
    """Take paths from the folder of service.toml: those of files of keys, and of a store that there is or will be."""
    changed: dict[str, BaseModel] = {}
    keys = settings.auth.keys
    if isinstance(keys, str) and keys.startswith("file:"):
        source = f"file:{(folder / keys.removeprefix('file:')).absolute()}"
        changed["auth"] = settings.auth.model_copy(update={"keys": source})
    store = (folder / settings.jobs.path).absolute()
    if any(endpoint.jobs for endpoint in settings.endpoints.values()) or store.exists():
        changed["jobs"] = settings.jobs.model_copy(update={"store": f"sqlite:///{store}"})
    secrets = settings.webhooks.secrets
    if isinstance(secrets, str) and secrets.startswith("file:"):
        source = f"file:{(folder / secrets.removeprefix('file:')).absolute()}"
        changed["webhooks"] = settings.webhooks.model_copy(update={"secrets": source})
    return settings.model_copy(update=changed)


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, Any]]]:
    for variable, text in sorted(environ.items()):
        if variable.startswith(PREFIX):
            yield (variable.removeprefix(PREFIX).lower().replace("__", "."), (variable, _literal(text)))


def _refuse_strays(sources: Mapping[str, tuple[str, Any]], raw: Mapping[str, Any], path: Path) -> None:
    """Refuse variables that set something of an endpoint that there is not; one with a handler makes a new one."""
    endpoints = raw.get("endpoints")
    known = endpoints if isinstance(endpoints, dict) else {}
    lines = []
    for key, (variable, _) in sources.items():
        table, name, inner = (*key.split(".", 2), "", "")[:3]
        if table == "endpoints" and inner and name not in known and f"endpoints.{name}.handler" not in sources:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]}?" if near else f"The endpoints are: {', '.join(known) or 'none'}."
            lines.append(f'{variable} names the endpoint "{name}", which is not in {path}. {hint} Correct or unset it.')
    if lines:
        raise SettingsError("\n".join(lines))


def _literal(text: str) -> Any:
    """A TOML value where the text is one, else the text itself."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if set(parsed) == {"value"} else text


def _put(raw: dict[str, Any], keys: list[str], value: Any, origin: str) -> None:
    table = raw
    for key in keys[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise SettingsError(f"{origin} sets {'.'.join(keys)}, but {key} is not a table. Remove one of the two.")
    table[keys[-1]] = value


def _sentence(detail: ErrorDetails, where: str, origins: Mapping[str, str]) -> str:
    loc = [str(part) for part in detail["loc"] if part != "[key]"]
    context: dict[str, Any] = detail.get("ctx", {})
    if detail["type"] == "advice":
        key = ".".join([*loc, context["key"]])
        return (
            f"{key} is {_shown(context['value'])}; expected {context['expected']}. "
            f"{context['fix']} in {origins.get(key, where)}."
        )
    key = ".".join(loc) or "the file"
    place = origins.get(key, where)
    known, expected = _expectation(loc)
    if detail["type"] == "missing":
        return f"{key} is missing; expected {expected}. Add it to {place}."
    if detail["type"] == "extra_forbidden":
        near = difflib.get_close_matches(loc[-1], known, 1)
        hint = f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(known)}."
        below = [variable for dotted, variable in origins.items() if dotted.startswith(f"{key}.")]
        return f"{key} is not a key of this version. {hint} Fix it in {', '.join(below) or place}."
    shown = "something else" if key in _SECRET else _shown(detail["input"])
    return f"{key} is {shown}; expected {expected}. Fix it in {place}."


def _shown(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)[:200]
    except ValueError:  # a number of thousands of digits, which Python refuses to write
        return f"a value of type {type(value).__name__}"


def _expectation(loc: list[str]) -> tuple[list[str], str]:
    """Return the keys known in the innermost table of ``loc`` and what its last key should hold."""
    if loc[:1] == ["endpoints"] and len(loc) > 1:
        return _walk(
            EndpointSettings, loc[2:], 'an endpoint\'s name and table: lower-case letters, digits and single "_"'
        )
    return _walk(Settings, loc, "a table")


def _walk(table: type[BaseModel], loc: list[str], expected: str) -> tuple[list[str], str]:
    for part in loc:
        field = table.model_fields.get(part)
        if field is None:
            break
        inner = next((t for t in (field.annotation, *get_args(field.annotation)) if _is_table(t)), None)
        table = inner or table
        expected = field.description or "a table with " + ", ".join(table.model_fields)
    return list(table.model_fields), expected


def _is_table(annotation: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
