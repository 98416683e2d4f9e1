"""What all operations of the OpenAPI document share."""

from __future__ import annotations

from typing import Any

OUR_PREFIX = "litgen."  # no Python class can have this name, so that an owner's Health or Problem stays theirs
OUR_REF = "#/components/schemas/" + OUR_PREFIX + "{model}"
BINARY = {"type": "string", "format": "binary"}


def ours(model: str) -> dict[str, Any]:
    """Return a reference to a model of the runtime's."""
    return {"$ref": OUR_REF.format(model=model)}


def json_content(schema: Any) -> dict[str, Any]:
    """Return a content that is JSON."""
    return {"application/json": {"schema": schema}}


def problem(title: str) -> dict[str, Any]:
    """Return an answer that is a problem document."""
    content = {"application/problem+json": {"schema": ours("Problem")}}
    return {"description": title, "headers": id_header(), "content": content}


def request_id() -> dict[str, Any]:
    """Return the parameter X-Request-ID."""
    words = "Comes back in the answer and in the log; another form is replaced"
    return header("X-Request-ID", {"type": "string"}, words)


def id_header() -> dict[str, Any]:
    """Return the headers that each answer has."""
    return {"X-Request-ID": {"schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"}}}


def header(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    """Return a parameter in a header, which may be left out."""
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


def query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    """Return a parameter in the query, which may be left out."""
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
