"""The OpenAPI document of a service: request, response and every error of every endpoint, typed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from litgen_runtime import errors
from litgen_runtime.imports import resolve
from litgen_runtime.settings import Settings

_REF = "#/components/schemas/{model}"
_OUR_PREFIX = "litgen."  # no Python class can have this name, so that an owner's Health or Problem stays theirs
_OUR_REF = "#/components/schemas/" + _OUR_PREFIX + "{model}"
_PREDICTION_ERRORS: tuple[type[errors.RequestError], ...] = (
    errors.InvalidJSON,
    errors.MethodNotAllowed,
    errors.ClientTooSlow,
    errors.PayloadTooLarge,
    errors.UnsupportedMediaType,
    errors.InvalidInput,
    errors.PredictFailed,
    errors.Loading,
    errors.DeadlineExceeded,
)


class FieldProblem(BaseModel):
    """What is wrong with one field of a body."""

    pointer: str = Field(description="JSON pointer to the field (RFC 6901)")
    detail: str
    type: str


class Problem(BaseModel):
    """Why a request was not answered (RFC 9457)."""

    type: str = Field(description="A URN that ends in the code")
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable, for programs")
    request_id: str
    errors: list[FieldProblem] | None = None


class Health(BaseModel):
    """What the service says of itself."""

    status: str
    waiting_for: list[str] = []


def describe(settings: Settings) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of a service; no model is loaded for it.

    Args:
        settings: the service's choices; their schemas are imported.
    """
    adapters: dict[tuple[str, JsonSchemaMode], TypeAdapter[Any]] = {}
    for name, endpoint in settings.endpoints.items():
        key = f"endpoints.{name}"
        adapters[name, "validation"] = TypeAdapter(resolve(endpoint.request, f"{key}.request"))
        adapters[name, "serialization"] = TypeAdapter(resolve(endpoint.response, f"{key}.response"))
    schemas, definitions = TypeAdapter.json_schemas(
        [(key, key[1], adapter) for key, adapter in adapters.items()], ref_template=_REF
    )
    ours = models_json_schema([(Problem, "serialization"), (Health, "serialization")], ref_template=_OUR_REF)[1]
    paths: dict[str, Any] = {}
    for name, endpoint in settings.endpoints.items():
        request = schemas[(name, "validation"), "validation"]
        response = schemas[(name, "serialization"), "serialization"]
        content = _json(response) if endpoint.streaming is None else _stream(response)
        paths[endpoint.path] = {"post": _operation(name, request, content)}
    for path in ("/livez", "/readyz", "/health"):
        paths[path] = {"get": _probe(path)}
    components: dict[str, Any] = {"schemas": definitions.get("$defs", {})}
    components["schemas"] |= {_OUR_PREFIX + name: schema for name, schema in ours["$defs"].items()}
    if settings.shutdown.api:
        paths["/shutdown"] = {"post": _shutdown()}
        components["securitySchemes"] = {"shutdown": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": settings.service.name, "version": "1"},
        "paths": paths,
        "components": components,
    }


def _operation(name: str, request: Any, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": name.replace("_", " ").capitalize(),
        "tags": ["endpoints"],
        "parameters": [_request_id()],
        "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
        "responses": {
            "200": {"description": "The result", "headers": _id_header(), "content": content},
            **{str(error.status): _problem(error.title) for error in _PREDICTION_ERRORS},
            "default": _problem("An error that the model answered itself"),
        },
    }


def _probe(path: str) -> dict[str, Any]:
    words = {"/livez": "Alive", "/readyz": "Ready for traffic", "/health": "Ready, with details"}
    health = _json({"$ref": _OUR_REF.format(model="Health")})
    responses: dict[str, Any] = {"200": {"description": words[path], "headers": _id_header(), "content": health}}
    if path != "/livez":
        responses["503"] = {"description": "Loading or shutting down", "headers": _id_header(), "content": health}
    responses["405"] = _problem(errors.MethodNotAllowed.title)
    return {
        "operationId": f"get{path[1:].capitalize()}",  # no endpoint name has capitals
        "summary": words[path],
        "tags": ["probes"],
        "parameters": [_request_id()],
        "responses": responses,
    }


def _shutdown() -> dict[str, Any]:
    accepted = {"type": "object", "properties": {"status": {"const": "draining"}}, "required": ["status"]}
    return {
        "operationId": "postShutdown",
        "summary": "Drain and stop the service",
        "tags": ["admin"],
        "security": [{"shutdown": []}],
        "parameters": [_request_id()],
        "responses": {
            "202": {"description": "Draining has begun", "headers": _id_header(), "content": _json(accepted)},
            "401": _problem(errors.Unauthorized.title),
            "405": _problem(errors.MethodNotAllowed.title),
        },
    }


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _stream(item: Any) -> dict[str, Any]:
    """A stream's two forms (Source: OpenAPI 3.2, 4.14.3, whose ``itemSchema`` older readers ignore)."""
    return {
        "text/event-stream": {"schema": {"type": "string", "description": "Each event's data is one item, as JSON"}},
        "application/x-ndjson": {
            "schema": {"type": "string", "description": "Each line is one item"},
            "itemSchema": item,
        },
    }


def _problem(title: str) -> dict[str, Any]:
    schema = {"$ref": _OUR_REF.format(model="Problem")}
    return {"description": title, "headers": _id_header(), "content": {"application/problem+json": {"schema": schema}}}


def _request_id() -> dict[str, Any]:
    return {
        "name": "X-Request-ID",
        "in": "header",
        "required": False,
        "description": "Comes back in the answer and in the log; another form is replaced",
        "schema": {"type": "string"},
    }


def _id_header() -> dict[str, Any]:
    return {"X-Request-ID": {"schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"}}}
