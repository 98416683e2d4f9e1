from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from litgen_runtime.http.messages import App
from litgen_runtime.http.site import build
from litgen_runtime.settings.load import validate
from tests.unit.runtime.fakes import Reply, ask
from tests.unit.runtime.mini import tables

HERE = "tests.unit.runtime.http.test_site"


class Ask(BaseModel):
    """The owner's own, called as an endpoint's is."""

    question: str


def configure(app: FastAPI) -> None:
    """What an owner may add."""

    @app.post("/ask")
    async def ask_me(ask: Ask) -> str:
        return ask.question

    @app.get("/own")
    async def own(count: int = 1) -> dict[str, int]:
        return {"count": count}

    @app.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418, "Tea only.", {"X-Pot": "small"})

    @app.get("/breaks")
    async def breaks() -> None:
        raise KeyError("secret")


@pytest.fixture(scope="module")
def site() -> App:
    """Return the site of a service with routes of the owner's."""
    raw = tables()
    raw["service"]["configure"] = f"{HERE}:configure"
    app: Any = build(validate(raw, "x"))
    return app  # type: ignore[no-any-return]  # an ASGI app, as Starlette types it more widely


def get(site: App, path: str, method: str = "GET") -> Reply:
    """Ask as the front does: with a request id on every request."""

    async def main() -> Reply:
        query = path.partition("?")[2].encode()

        async def with_query(scope: Any, receive: Any, send: Any) -> None:
            await site(scope | {"path": path.partition("?")[0], "query_string": query}, receive, send)

        return await ask(with_query, method, path, headers={"x-request-id": "mine"})

    return asyncio.run(main())


def test_owners_route(site: App) -> None:
    """A route of the owner's is served."""
    assert get(site, "/own?count=3").json == {"count": 3}


def test_not_found(site: App) -> None:
    """An unknown path is a problem document that says where to look."""
    reply = get(site, "/nowhere")
    assert (reply.status, reply.json["code"], reply.json["request_id"]) == (404, "not-found", "mine")
    assert reply.headers["content-type"] == "application/problem+json"
    assert "See /docs" in reply.json["detail"]


def test_method_not_allowed(site: App) -> None:
    """A wrong method is told with those that there are."""
    reply = get(site, "/own", "DELETE")
    assert (reply.status, reply.json["code"], reply.headers["allow"]) == (405, "method-not-allowed", "GET")


def test_owners_http_exception(site: App) -> None:
    """An HTTPException of the owner's route keeps its status, detail and headers."""
    reply = get(site, "/teapot")
    assert (reply.status, reply.json["detail"], reply.headers["x-pot"]) == (418, "Tea only.", "small")


def test_owners_parameters(site: App) -> None:
    """FastAPI's own refusals name the field as ours do."""
    reply = get(site, "/own?count=x")
    assert (reply.status, reply.json["code"]) == (422, "invalid-input")
    assert reply.json["errors"][0]["pointer"] == "/query/count"


def test_owners_exception(site: App) -> None:
    """A route that breaks is a 500 without its words; it is raised once more, for the log."""
    replies = []

    async def remember(scope: Any, receive: Any, send: Any) -> None:
        try:
            await site(scope, receive, send)
        except KeyError as error:
            replies.append(error)

    reply = asyncio.run(ask(remember, "GET", "/breaks", headers={"x-request-id": "mine"}))
    assert (reply.status, reply.json["code"]) == (500, "internal-error")
    assert b"secret" not in reply.body
    assert len(replies) == 1


def test_document_holds_everything(site: App) -> None:
    """/openapi.json describes the owner's routes, the endpoints and the probes."""
    paths = get(site, "/openapi.json").json["paths"]
    assert {"/own", "/embed", "/livez", "/readyz", "/health"} <= set(paths)


def test_models_of_one_name(site: App) -> None:
    """A model of the owner's routes and one of an endpoint that share a name are two."""
    document = get(site, "/openapi.json").json
    found = []
    for path in ("/ask", "/embed"):
        schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        found.append(set(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]))
    assert found == [{"question"}, {"text"}]


def test_docs_load_nothing_from_elsewhere(site: App) -> None:
    """/docs works without the internet."""
    reply = get(site, "/docs")
    assert reply.status == 200
    assert b"http://" not in reply.body.replace(b"http://www.w3.org", b"")
    assert b"https://" not in reply.body
