"""Turning pydantic's verdict on a request body into a problem that names the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from litgen_runtime.errors import InvalidInput, InvalidJSON, RequestError

_MAX_ERRORS = 20


def refusal(error: ValidationError) -> RequestError:
    """Return the problem for a body that a request type refused."""
    return refusal_for(error.errors(include_url=False, include_context=False, include_input=False))


def refusal_for(details: Sequence[Mapping[str, Any]]) -> RequestError:
    """Return the problem for pydantic's list of errors, at least one."""
    if details[0]["type"] == "json_invalid":
        return InvalidJSON(f"The body is not valid JSON: {details[0]['msg']}. Send one JSON document in UTF-8.")
    errors = [
        {
            "pointer": "".join(f"/{_escaped(part)}" for part in detail["loc"]),
            "detail": detail["msg"],
            "type": detail["type"],
        }
        for detail in details[:_MAX_ERRORS]
    ]
    first = errors[0]
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    where = first["pointer"] or "the body"
    return InvalidInput(f"{where}: {first['detail']}{more}. See /docs for the schema.", errors=errors)


def _escaped(part: object) -> str:
    """Escape a key for a JSON pointer (Source: RFC 6901)."""
    text = str(part).encode("utf-8", "replace").decode()
    return text.replace("~", "~0").replace("/", "~1")
