"""The FastAPI side: the owner's own routes and middleware, /docs, /openapi.json.

FastAPI takes half a second and 20 MB to import, so it is loaded off the event loop once the service listens.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from litgen_runtime.errors import InternalError, MethodNotAllowed, NotFound, RequestError, SettingsError
from litgen_runtime.http.messages import App
from litgen_runtime.http.openapi import describe, told_apart
from litgen_runtime.imports import resolve
from litgen_runtime.settings import Settings
from litgen_runtime.validation import refusal_for

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from starlette.responses import Response

log = logging.getLogger(__name__)

_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)  # a crowd of clients must not end a service that has just started
_AGAIN_S = 1.0


class Site:
    """The app behind every path that is not an endpoint or a probe.

    Args:
        settings: the service's choices.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loading: asyncio.Task[FastAPI] | None = None
        self._middleware: list[Any] = []

    @property
    def may_have_middleware(self) -> bool:
        """Whether the owner's ``configure`` may add middleware, which is to see the endpoints too."""
        return self._settings.service.configure is not None

    async def has_middleware(self) -> bool:
        """Whether ``configure`` has added any."""
        return bool((await self.app()).user_middleware or self._middleware)

    async def around(self, inner: App) -> App:
        """Return an app with the owner's middleware around it, which the site itself then leaves to that app."""
        site = await self.app()
        if site.middleware_stack is None:
            self._middleware, site.user_middleware = site.user_middleware, []
        for middleware in reversed(self._middleware):
            inner = middleware.cls(inner, *middleware.args, **middleware.kwargs)
        return inner

    async def app(self) -> FastAPI:
        """Return the FastAPI app, loading it the first time."""
        if self._loading is None:
            self._loading = asyncio.get_running_loop().create_task(self._load())
        return await asyncio.shield(self._loading)

    async def _load(self) -> FastAPI:
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(None, build, self._settings)
            except OSError as error:
                if error.errno not in _NO_DESCRIPTORS:
                    raise
                log.warning("loading /docs and the owner's routes again in %g s: %s", _AGAIN_S, error)
                await asyncio.sleep(_AGAIN_S)


def build(settings: Settings) -> FastAPI:
    """Return the FastAPI app of a service, its OpenAPI document included.

    Args:
        settings: the service's choices.
    """
    from fastapi.exceptions import RequestValidationError
    from fastapi_offline import FastAPIOffline
    from starlette.exceptions import HTTPException

    name = settings.service.name
    app: FastAPI = FastAPIOffline(title=name, redoc_url=None, static_url="/docs/static", docs_url="/docs")
    owners_openapi = app.openapi
    app.openapi = cache(lambda: _document(settings, owners_openapi))  # type: ignore[method-assign]  # as FastAPI documents it
    for raised in (HTTPException, RequestValidationError, RequestError, Exception):
        app.add_exception_handler(raised, _problem)
    if settings.service.configure:
        _configure(settings.service.configure, app)
    return app


def _configure(reference: str, app: FastAPI) -> None:
    try:
        resolve(reference, "service.configure")(app)
    except SystemExit as error:  # it would end the event loop rather than the start
        raise SettingsError(
            f'service.configure is "{reference}"; it called sys.exit: {error}. Let it return.'
        ) from None


def _document(settings: Settings, owners_openapi: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The owner's own routes, then the endpoints and probes."""
    owners = owners_openapi()
    theirs = owners.get("components", {}).get("schemas", {})
    ours = told_apart(describe(settings), theirs)
    schemas = theirs | ours["components"].pop("schemas")
    components = owners.get("components", {}) | ours["components"] | {"schemas": schemas}
    schemes = components.get("securitySchemes", {}) | owners.get("components", {}).get("securitySchemes", {})
    if schemes:
        components["securitySchemes"] = schemes | ours["components"].get("securitySchemes", {})
    return owners | ours | {"paths": owners["paths"] | ours["paths"], "components": components}


async def _problem(request: Request, error: Exception) -> Response:
    """Answer what FastAPI or one of the owner's routes raised with a problem document."""
    from starlette.responses import Response

    problem = _as_problem(request.url.path, error)
    body = problem.problem(request.headers["x-request-id"])
    return Response(body, problem.status, problem.headers, "application/problem+json")


def _as_problem(path: str, error: Exception) -> RequestError:
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException

    if isinstance(error, RequestError):
        return error
    if isinstance(error, RequestValidationError):
        return refusal_for(error.errors())
    if not isinstance(error, HTTPException):
        return InternalError("The service failed on this request; its log has it under this request id.")
    headers = dict(error.headers or {})
    if error.status_code == 404 and error.detail == HTTPStatus.NOT_FOUND.phrase:
        return NotFound(f"Nothing is served at {path!r}. See /docs for what is.", headers)
    if error.status_code == 405:
        return MethodNotAllowed(f"{path} answers {headers.get('Allow', 'other methods')}.", headers)
    problem = RequestError(str(error.detail), headers)
    problem.status, problem.code, problem.title = error.status_code, "error", "Error"
    return problem
