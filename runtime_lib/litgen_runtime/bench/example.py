"""A request body out of what the owner's schema says: its examples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_MISSING = object()


class NoExampleError(Exception):
    """The schema has no example for something that a request needs; the message names it."""


def documents(schema: Mapping[str, Any], components: Mapping[str, Any]) -> list[Any]:
    """Return the examples of a whole schema; without any, one put together from those of its fields.

    Args:
        schema: a JSON schema, as pydantic writes it.
        components: what its references name, by the reference's last word.

    Raises:
        NoExampleError: a required field has neither an example nor a default.
    """
    resolved = _resolved(schema, components)
    if given := _given(resolved):
        return given
    return [_built(resolved, components, "", frozenset())]


def encoded(found: list[Any]) -> list[bytes]:
    """Return documents as request bodies."""
    return [json.dumps(document).encode() for document in found]


def _given(schema: Mapping[str, Any]) -> list[Any]:
    if schema.get("examples"):
        return list(schema["examples"])
    return [schema["example"]] if "example" in schema else []


def _resolved(schema: Mapping[str, Any], components: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference; what stands beside it wins, as an example of one field over that of its type."""
    if "$ref" not in schema:
        return schema
    name = schema["$ref"].rsplit("/", 1)[-1].replace("~1", "/").replace("~0", "~")
    return {**components.get(name, {}), **{key: value for key, value in schema.items() if key != "$ref"}}


def _built(schema: Mapping[str, Any], components: Mapping[str, Any], where: str, inside: frozenset[str]) -> Any:
    """Return a value that the schema describes.

    Raises:
        NoExampleError: it cannot be known.
    """
    reference = schema.get("$ref")
    if reference in inside:
        raise NoExampleError(where)
    inside = inside | {reference} if reference else inside
    schema = _resolved(schema, components)
    value = _said(schema)
    if value is not _MISSING:
        return value
    if schema.get("type") == "object" or "properties" in schema:
        return _object(schema, components, where, inside)
    for choices in ("anyOf", "oneOf", "allOf"):
        for choice in schema.get(choices, ()):
            try:
                return _built(choice, components, where, inside)
            except NoExampleError:
                continue
    raise NoExampleError(where or "the whole body")


def _said(schema: Mapping[str, Any]) -> Any:
    """Return the value that the schema itself names, or ``_MISSING``."""
    if given := _given(schema):
        return given[0]
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    return schema["enum"][0] if schema.get("enum") else _MISSING


def _object(schema: Mapping[str, Any], components: Mapping[str, Any], where: str, inside: frozenset[str]) -> Any:
    """Return an object of its required fields, and of those that have an example; all that is missing is named."""
    required = schema.get("required", ())
    found: dict[str, Any] = {}
    missing = []
    for name, field in schema.get("properties", {}).items():
        if name not in required and not _given(_resolved(field, components)):
            continue
        try:
            found[name] = _built(field, components, f"{where}.{name}" if where else name, inside)
        except NoExampleError as error:
            missing.append(str(error))
    if missing:
        raise NoExampleError(", ".join(missing))
    return found
