"""The FastAPI side: the owner's own routes and middleware, /docs, /openapi.json.

FastAPI takes half a second and 20 MB to import, so it is loaded off the event loop once the service listens.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from litgen_runtime.errors import MethodNotAllowed, NotFound, RequestError
from litgen_runtime.http.messages import App
from litgen_runtime.http.openapi import describe
from litgen_runtime.imports import resolve
from litgen_runtime.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from starlette.responses import Response


class Site:
    """The app behind every path that is not an endpoint or a probe.

    Args:
        settings: the service's choices.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loading: asyncio.Future[App] | None = None

    async def app(self) -> App:
        """Return the FastAPI app, loading it the first time."""
        if self._loading is None:
            self._loading = asyncio.get_running_loop().run_in_executor(None, build, self._settings)
        return await asyncio.shield(self._loading)


def build(settings: Settings) -> FastAPI:
    """Return the FastAPI app of a service, its OpenAPI document included.

    Args:
        settings: the service's choices.
    """
    from fastapi_offline import FastAPIOffline
    from starlette.exceptions import HTTPException

    name = settings.service.name
    app: FastAPI = FastAPIOffline(title=name, redoc_url=None, static_url="/docs/static", docs_url="/docs")
    owners_openapi = app.openapi
    app.openapi = lambda: _document(settings, owners_openapi)  # type: ignore[method-assign]  # as FastAPI documents it
    app.add_exception_handler(HTTPException, _problem)
    if settings.service.configure:
        resolve(settings.service.configure, "service.configure")(app)
    return app


def _document(settings: Settings, owners_openapi: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The owner's own routes, then the endpoints and probes."""
    owners = owners_openapi()
    ours = describe(settings)
    schemas = owners.get("components", {}).get("schemas", {}) | ours["components"].pop("schemas")
    components = owners.get("components", {}) | ours["components"] | {"schemas": schemas}
    return owners | ours | {"paths": owners["paths"] | ours["paths"], "components": components}


async def _problem(request: Request, error: Exception) -> Response:
    """FastAPI's own 404 and 405, and an HTTPException of the owner's routes, as problem documents."""
    from starlette.exceptions import HTTPException
    from starlette.responses import Response

    from litgen_runtime.http.messages import request_id_of

    assert isinstance(error, HTTPException)  # noqa: S101 - what the handler is registered for
    given = request.headers.get("x-request-id", "").encode("latin-1")
    request_id = request_id_of(given).decode()
    problem = _as_problem(request.url.path, error)
    return Response(
        problem.problem(request_id),
        problem.status,
        {"x-request-id": request_id, **problem.headers},
        "application/problem+json",
    )


def _as_problem(path: str, error: Any) -> RequestError:
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return NotFound(f"Nothing is served at {path!r}. See /docs for what is.", headers)
    if error.status_code == 405:
        return MethodNotAllowed(f"{path} answers {headers.get('Allow', 'other methods')}.", headers)
    problem = RequestError(error.detail if isinstance(error.detail, str) else json.dumps(error.detail), headers)
    problem.status, problem.code, problem.title = error.status_code, "error", "Error"
    return problem
