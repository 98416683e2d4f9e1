"""The OpenAPI document of a service: request, response and every error of every endpoint, typed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, Field, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from litgen_runtime import errors
from litgen_runtime.http.openapi_parts import BINARY as _BINARY
from litgen_runtime.http.openapi_parts import OUR_PREFIX as _OUR_PREFIX
from litgen_runtime.http.openapi_parts import OUR_REF as _OUR_REF
from litgen_runtime.http.openapi_parts import id_header as _id_header
from litgen_runtime.http.openapi_parts import json_content as _json
from litgen_runtime.http.openapi_parts import problem as _problem
from litgen_runtime.http.openapi_parts import request_id as _request_id
from litgen_runtime.imports import resolve_types
from litgen_runtime.settings import EndpointSettings, Settings
from litgen_runtime.upload import Upload

_REF = "#/components/schemas/{model}"
_KEY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_RAW_ERRORS = (errors.CannotStore,)
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
    types = {name: _types(name, endpoint) for name, endpoint in settings.endpoints.items()}
    for name, (request, response) in types.items():
        if request not in (bytes, Upload):
            adapters[name, "validation"] = TypeAdapter(request)
        if response is not bytes:
            adapters[name, "serialization"] = TypeAdapter(response)
    schemas, definitions = TypeAdapter.json_schemas(
        [(key, key[1], adapter) for key, adapter in adapters.items()], ref_template=_REF
    )
    calls_back = settings.webhooks.secrets is not False
    models: list[type[BaseModel]] = [Problem, Health]
    paths: dict[str, Any] = {}
    if any(endpoint.jobs for endpoint in settings.endpoints.values()):
        from litgen_runtime.http import openapi_jobs

        models += openapi_jobs.models(webhooks=calls_back)
        paths |= _job_paths(openapi_jobs.job_paths(webhooks=calls_back), settings)
    ours = models_json_schema([(model, "serialization") for model in models], ref_template=_OUR_REF)[1]
    for name, endpoint in settings.endpoints.items():
        taken = _taken(types[name][0], schemas.get(((name, "validation"), "validation")))
        item = schemas.get(((name, "serialization"), "serialization"))
        given = _given(endpoint.response_type, item) if endpoint.streaming is None else _stream(item)
        operation = _operation(name, taken, given)
        if endpoint.jobs:
            operation = openapi_jobs.with_jobs(operation, webhooks=calls_back)
        paths[endpoint.path] = {"post": operation if is_open(settings, endpoint) else operation | _guarded(operation)}
    for path in ("/livez", "/readyz", "/health"):
        paths[path] = {"get": _probe(path)}
    components: dict[str, Any] = {"schemas": definitions.get("$defs", {})}
    components["schemas"] |= {_OUR_PREFIX + name: schema for name, schema in ours["$defs"].items()}
    schemes: dict[str, Any] = {} if settings.auth.keys is False else dict(_KEY_SCHEMES)
    if settings.shutdown.api:
        paths["/shutdown"] = {"post": _shutdown()}
        schemes["shutdown"] = {"type": "http", "scheme": "bearer"}
    if schemes:
        components["securitySchemes"] = schemes
    return {
        "openapi": "3.1.0",
        "info": {"title": settings.service.name, "version": "1"},
        "paths": paths,
        "components": components,
    }


def _job_paths(paths: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Return the paths of jobs with the keys that they ask for; jobs of an open endpoint need none."""
    if settings.auth.keys is False:
        return paths
    is_open = any(endpoint.jobs and endpoint.auth is False for endpoint in settings.endpoints.values())
    for item in paths.values():
        for operation in item.values():
            if isinstance(operation, dict):
                operation |= _guarded(operation)
                operation["security"] += [{}] if is_open else []
    return paths


def _types(name: str, endpoint: EndpointSettings) -> tuple[Any, Any]:
    return resolve_types(f"endpoints.{name}", endpoint.request, endpoint.response, endpoint.response_type)


def _taken(request: Any, schema: Any) -> dict[str, Any]:
    """Return what a request's body may be, by media type."""
    if schema is not None:
        return _json(schema)
    raw = {"application/octet-stream": {"schema": _BINARY}, "*/*": {"schema": _BINARY}}
    if request is bytes:
        return raw
    form = {"type": "object", "properties": {"file": _BINARY}, "additionalProperties": True}
    return {"multipart/form-data": {"schema": form}} | raw


def _given(media_type: str | None, schema: Any) -> dict[str, Any]:
    """Return what an answer's body is, by media type."""
    return {media_type or "application/octet-stream": {"schema": _BINARY}} if schema is None else _json(schema)


def _operation(name: str, taken: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    is_raw = "application/octet-stream" in taken
    answered = _PREDICTION_ERRORS + (_RAW_ERRORS if is_raw else ())
    return {
        "operationId": name,
        "summary": name.replace("_", " ").capitalize(),
        "tags": ["endpoints"],
        "parameters": [_request_id(), _request_timeout()],
        "requestBody": {"required": not is_raw, "content": taken},
        "responses": {
            "200": {"description": "The result", "headers": _id_header(), "content": given},
            **{str(error.status): _problem(error.title) for error in answered},
            "default": _problem("An error that the model answered itself"),
        },
    }


def is_open(settings: Settings, endpoint: EndpointSettings) -> bool:
    """Whether an endpoint needs no key."""
    return settings.auth.keys is False or endpoint.auth is False


def _guarded(operation: dict[str, Any]) -> dict[str, Any]:
    """Return what an operation says besides when it needs a key, in either of two headers."""
    refusals = {str(error.status): _problem(error.title) for error in (errors.Unauthorized, errors.Forbidden)}
    return {
        "security": [{scheme: []} for scheme in _KEY_SCHEMES],
        "responses": dict(sorted((operation["responses"] | refusals).items())),
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


def _stream(item: Any) -> dict[str, Any]:
    """A stream's two forms (Source: OpenAPI 3.2, 4.14.3, whose ``itemSchema`` older readers ignore)."""
    problem = {"$ref": _OUR_REF.format(model="Problem")}
    return {
        "text/event-stream": {
            "schema": {
                "description": "Each event's data is one item, as JSON; an event named error ends a failed stream"
            },
            "itemSchema": {"anyOf": [_event(item), _event(problem, {"event": {"const": "error"}})]},
        },
        "application/x-ndjson": {
            "schema": {"description": "Each line is one item; a last line with an error ends a failed stream"},
            "itemSchema": {
                "anyOf": [item, {"type": "object", "properties": {"error": problem}, "required": ["error"]}]
            },
        },
    }


def _event(data: Any, others: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Return the schema of a server-sent event whose data is JSON; ``others`` are the fields it must have besides."""
    text = {"type": "string", "contentMediaType": "application/json", "contentSchema": data}
    return {"type": "object", "properties": {"data": text, **others}, "required": ["data", *others]}


def _request_timeout() -> dict[str, Any]:
    return {
        "name": "X-Request-Timeout",
        "in": "header",
        "required": False,
        "description": "How many seconds the client waits at most; past that, or the endpoint's own limit, it is 504",
        "schema": {"type": "number", "exclusiveMinimum": 0},
    }


def told_apart(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document whose components have names of their own where another one uses theirs for something else.

    Args:
        ours: the document; its ``components.schemas`` may be renamed, and its references with them.
        theirs: the other document's ``components.schemas``.
    """
    schemas = ours["components"]["schemas"]
    clashing = {name for name, schema in schemas.items() if name in theirs and theirs[name] != schema}
    while more := {  # what is equal only in its words: it refers to something that is not
        name for name in (schemas.keys() & theirs.keys()) - clashing if clashing & set(_referred(schemas[name]))
    }:
        clashing |= more
    names = {name: f"endpoints.{name}" for name in clashing}  # no Python class can have this name
    document: dict[str, Any] = _renamed(
        ours, {_REF.format(model=old): _REF.format(model=new) for old, new in names.items()}
    )
    document["components"]["schemas"] = {
        names.get(name, name): schema for name, schema in document["components"]["schemas"].items()
    }
    return document


def _referred(node: Any) -> Iterator[str]:
    """Yield the names of the schemas that a schema refers to."""
    if isinstance(node, str) and node.startswith(_REF.format(model="")):
        yield node.removeprefix(_REF.format(model=""))
    elif isinstance(node, dict):
        for inner in node.values():
            yield from _referred(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _referred(inner)


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    """Return a copy with each reference (a string that is nothing else) changed to its new name."""
    if isinstance(node, str):
        return names.get(node, node)
    if isinstance(node, dict):
        return {key: _renamed(inner, names) for key, inner in node.items()}
    return [_renamed(inner, names) for inner in node] if isinstance(node, list) else node
