from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from litgen_runtime.http.openapi import describe, told_apart
from litgen_runtime.settings import Settings
from litgen_runtime.settings.load import validate
from tests.unit.runtime.mini import HERE, choices, tables

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def two_endpoints() -> Settings:
    """An endpoint of the owner's that is called like the runtime's own operations, with a model called like ours."""
    raw = tables()
    other = {"handler": f"{HERE}:Any", "request": f"{HERE}:Health", "response": f"{HERE}:Health", "path": "/check"}
    raw["endpoints"]["livez"] = other
    raw["endpoints"]["shutdown"] = other | {"path": "/b/embed", "response": f"{HERE}:Answer"}
    raw["shutdown"] = {"api": True}
    return validate(raw, "x")


def guarded() -> Settings:
    """One endpoint that needs a key, one that needs a certain one, and one that is open."""
    raw = tables(auth=["alice"])
    embed = raw["endpoints"]["embed"]
    raw["endpoints"]["any"] = {**embed, "path": "/any", "auth": True}
    raw["endpoints"]["open"] = {**embed, "path": "/open", "auth": False}
    return validate(raw | {"auth": {"keys": "env:A"}, "shutdown": {"api": True}}, "x")


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a document."""
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(inner)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield path, method and operation."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def resolved(document: dict[str, Any], reference: str) -> Any:
    """Return what a reference names."""
    assert reference.startswith("#/")
    node: Any = document
    for part in reference[2:].split("/"):
        node = node[part]
    return node


@pytest.fixture(params=[choices, two_endpoints, guarded], ids=["one endpoint", "three, with shutdown", "with keys"])
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the document of a service."""
    return describe(request.param())


def test_structure(document: dict[str, Any]) -> None:
    """The document is OpenAPI 3.1 by its rules: what is required is there, and nothing is invented."""
    assert document["openapi"].startswith("3.1.")
    assert set(document) == {"openapi", "info", "paths", "components"}
    assert {"title", "version"} <= set(document["info"])
    assert set(document["components"]) <= {"schemas", "securitySchemes"}
    assert all(re.fullmatch(r"[a-zA-Z0-9._-]+", name) for name in document["components"]["schemas"])
    for path, method, operation in operations(document):
        assert path.startswith("/")
        assert method in METHODS
        assert all(re.fullmatch(r"[1-5]\d\d|default", status) for status in operation["responses"])
        assert all(response["description"] for response in operation["responses"].values())
        for parameter in operation["parameters"]:
            assert {"name", "in", "schema"} <= set(parameter)


def test_references(document: dict[str, Any]) -> None:
    """Every reference leads somewhere."""
    for node in nodes(document):
        if "$ref" in node:
            assert resolved(document, node["$ref"])


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    """Whatever an endpoint is called, its operation is told from ours."""
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))


def test_schemas_are_json_schema(document: dict[str, Any]) -> None:
    """Each schema is valid JSON Schema 2020-12."""
    jsonschema = pytest.importorskip("jsonschema")
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_security_is_declared(document: dict[str, Any]) -> None:
    """An operation that needs a key names a scheme that is declared."""
    for _, _, operation in operations(document):
        for requirement in operation.get("security", ()):
            for scheme in requirement:
                assert document["components"]["securitySchemes"][scheme]["type"] in ("http", "apiKey")


def test_endpoint() -> None:
    """An endpoint's request and response are its own models."""
    document = describe(choices())
    operation = document["paths"]["/embed"]["post"]
    request = operation["requestBody"]["content"]["application/json"]["schema"]
    response = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert operation["requestBody"]["required"]
    assert resolved(document, request["$ref"])["properties"] == {"text": {"title": "Text", "type": "string"}}
    assert resolved(document, response["$ref"])["properties"] == {"length": {"title": "Length", "type": "integer"}}


def test_every_error_is_typed() -> None:
    """Every status that an endpoint can answer is there, as a problem document, the model's own ones by default."""
    document = describe(choices())
    responses = document["paths"]["/embed"]["post"]["responses"]
    assert set(responses) == {"200", "400", "405", "408", "413", "415", "422", "500", "503", "504", "default"}
    for status, response in responses.items():
        assert "X-Request-ID" in response["headers"]
        if status != "200":
            schema = response["content"]["application/problem+json"]["schema"]
            properties = resolved(document, schema["$ref"])["properties"]
            assert {"type", "title", "status", "detail", "code", "request_id"} <= set(properties)


def test_owners_models_keep_their_names() -> None:
    """An owner's model called like one of ours stays theirs."""
    document = describe(two_endpoints())
    schema = document["paths"]["/check"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(resolved(document, schema["$ref"])["properties"]) == {"pulse"}
    probe = document["paths"]["/livez"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert set(resolved(document, probe["$ref"])["properties"]) == {"status", "waiting_for"}


def test_keys_only_where_they_are_needed() -> None:
    """An endpoint that needs a key says so, in either header, with the two ways to be refused."""
    document = describe(guarded())
    operations = {name: document["paths"][f"/{name}"]["post"] for name in ("embed", "any", "open")}
    for name in ("embed", "any"):
        assert operations[name]["security"] == [{"bearer": []}, {"apiKey": []}]
        assert {"401", "403"} <= set(operations[name]["responses"])
    assert "security" not in operations["open"]
    assert not {"401", "403"} & set(operations["open"]["responses"])
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"] == {"type": "http", "scheme": "bearer"}
    assert schemes["apiKey"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    assert "shutdown" in schemes
    assert "securitySchemes" not in describe(choices())["components"]


@pytest.mark.parametrize("is_open", [False, True])
def test_jobs_of_an_endpoint_that_needs_no_key(is_open: bool) -> None:
    """They belong to whoever shows none: where there may be some, asking after jobs needs none either."""
    raw = tables(jobs=True, auth=not is_open)
    raw["endpoints"]["other"] = {**raw["endpoints"]["embed"], "path": "/other", "auth": True}
    document = describe(validate(raw | {"auth": {"keys": "env:A"}}, "x"))
    keys: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
    assert document["paths"]["/v1/jobs/{id}"]["get"]["security"] == ([*keys, {}] if is_open else keys)
    assert document["paths"]["/other"]["post"]["security"] == keys


def test_shutdown_only_when_enabled() -> None:
    """POST /shutdown is described only where it is served."""
    assert "/shutdown" not in describe(choices())["paths"]
    assert "post" in describe(two_endpoints())["paths"]["/shutdown"]


def raw(**more: str) -> dict[str, Any]:
    """Return the operation of an endpoint with other types."""
    operation: dict[str, Any] = describe(choices(**more))["paths"]["/embed"]["post"]
    return operation


def test_bytes() -> None:
    """``bytes`` are any media type on the way in, and the one that service.toml names on the way out."""
    operation = raw(request="builtins:bytes", response="builtins:bytes", response_type="image/png")
    assert set(operation["requestBody"]["content"]) == {"application/octet-stream", "*/*"}
    binary = {"schema": {"type": "string", "format": "binary"}}
    assert operation["responses"]["200"]["content"] == {"image/png": binary}
    assert "507" in operation["responses"]
    plain = raw(response="builtins:bytes")
    assert set(plain["responses"]["200"]["content"]) == {"application/octet-stream"}
    assert set(plain["requestBody"]["content"]) == {"application/json"}
    assert "507" not in plain["responses"]


def test_upload() -> None:
    """An upload is a form with files, or any media type."""
    content = raw(request="litgen_runtime:Upload")["requestBody"]["content"]
    assert set(content) == {"multipart/form-data", "application/octet-stream", "*/*"}
    assert content["multipart/form-data"]["schema"]["properties"]["file"]["format"] == "binary"


def test_request_timeout() -> None:
    """The header with which a client shortens its wait is described."""
    parameters = {parameter["name"]: parameter for parameter in raw()["parameters"]}
    assert parameters["X-Request-Timeout"]["schema"] == {"type": "number", "exclusiveMinimum": 0}


def document_of(**schemas: Any) -> dict[str, Any]:
    """Return a document with these schemas, the first of which its only path takes."""
    first = next(iter(schemas))
    return {
        "paths": {"/a": {"post": {"requestBody": {"$ref": f"#/components/schemas/{first}"}}}},
        "components": {"schemas": schemas},
    }


def referring(name: str) -> dict[str, Any]:
    """Return a schema with a reference."""
    return {"type": "object", "title": "Inner", "properties": {"x": {"$ref": f"#/components/schemas/{name}"}}}


def test_equal_schemas_are_one() -> None:
    """What the owner's routes call the same and mean the same stays as it is."""
    document = document_of(Item={"type": "string"}, Other={"type": "null"})
    assert told_apart(document, {"Item": {"type": "string"}, "Mine": {}}) == document


def test_clashing_schemas_are_two() -> None:
    """What is called the same and means something else gets a name of its own, and is referred to by it."""
    document = told_apart(document_of(Item={"type": "string"}), {"Item": {"type": "integer"}})
    assert document == {
        "paths": {"/a": {"post": {"requestBody": {"$ref": "#/components/schemas/endpoints.Item"}}}},
        "components": {"schemas": {"endpoints.Item": {"type": "string"}}},
    }


def test_what_refers_to_a_clashing_schema_clashes_too() -> None:
    """Two schemas of the same words are two if what they refer to is."""
    ours = document_of(Outer=referring("Middle"), Middle=referring("Inner"), Inner={"type": "string"})
    theirs = {"Outer": referring("Middle"), "Middle": referring("Inner"), "Inner": {"type": "integer"}}
    schemas = told_apart(ours, theirs)["components"]["schemas"]
    assert schemas == {
        "endpoints.Outer": referring("endpoints.Middle"),
        "endpoints.Middle": referring("endpoints.Inner"),
        "endpoints.Inner": {"type": "string"},
    }
