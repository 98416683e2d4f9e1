"""The ASGI front: prediction paths and probes are answered here, the rest by the FastAPI site."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any

from litgen_runtime.errors import InternalError, RequestError
from litgen_runtime.http.gate import SCOPE_KEY, Gate
from litgen_runtime.http.lifecycle import Lifecycle
from litgen_runtime.http.messages import App, Receive, Scope, Send, header, request_id_of, send_problem
from litgen_runtime.http.site import Site

log = logging.getLogger(__name__)

_OF_JOBS = ("/v1/jobs/", "/v1/deliveries/")


class Front:
    """The whole service as one ASGI app.

    Args:
        probes: apps by exact path that answer whatever happens, middleware or not.
        routes: apps by exact path: the endpoints' doors, the shutdown API.
        site: everything else, and the middleware of the owner's ``configure`` around it and the routes.
        lifecycle: told of what the site answers; the other routes tell it themselves.
        jobs: answers below /v1/jobs and /v1/deliveries, if there are any.
        gate: for the owner's routes that ask who asks; None: auth is off.
    """

    def __init__(
        self,
        probes: Mapping[str, App],
        routes: Mapping[str, App],
        site: Site,
        lifecycle: Lifecycle,
        jobs: App | None = None,
        gate: Gate | None = None,
    ) -> None:
        self._probes = probes
        self._routes = routes
        self._app: App | None = None if site.may_have_middleware else self._route
        self._site = site
        self._jobs = jobs
        self._lifecycle = lifecycle
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        app = self._probes.get(scope["path"], self._app)
        try:
            if app is None:
                app = self._app = await self._site.around(self._route)
            await app(scope, receive, send)
        except RequestError as error:
            request_id = request_id_of(header(scope, b"x-request-id"))
            if error.log:
                log.error("%r: request %s: %s", scope["path"], request_id.decode(), error.log)
            await send_problem(send, error, request_id)
        except Exception:
            request_id = request_id_of(header(scope, b"x-request-id"))
            log.exception("%r: request %s failed inside the runtime", scope["path"], request_id.decode())
            await send_problem(send, InternalError("The service failed on this request."), request_id)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._routes.get(scope["path"], self._elsewhere)
        if app == self._elsewhere and self._jobs is not None and (scope["path"] + "/").startswith(_OF_JOBS):
            app = self._jobs
        await app(scope, receive, send)

    async def _elsewhere(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the site answer, with a request id on everything that it says."""
        request_id = request_id_of(header(scope, b"x-request-id"))
        others = [line for line in scope["headers"] if line[0] != b"x-request-id"]
        scope["headers"] = [*others, (b"x-request-id", request_id)]
        scope[SCOPE_KEY] = self._gate

        async def send_with_id(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id)]
            await send(message)

        self._lifecycle.enter()
        try:
            await (await self._site.app())(scope, receive, send_with_id)
        except Exception:
            # Starlette has answered already and raises once more, for the log.
            log.exception("%r: request %s failed", scope["path"], request_id.decode())
        finally:
            self._lifecycle.leave()
