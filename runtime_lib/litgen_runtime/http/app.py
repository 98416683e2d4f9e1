"""The ASGI front: prediction paths and probes are answered here, the rest by the FastAPI site."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from litgen_runtime.errors import InternalError, RequestError
from litgen_runtime.http.messages import App, Receive, Scope, Send, header, request_id_of, send_problem
from litgen_runtime.http.site import Site

log = logging.getLogger(__name__)


class Front:
    """The whole service as one ASGI app.

    Args:
        routes: apps by exact path: the endpoints' doors, the probes, the shutdown API.
        site: everything else.
    """

    def __init__(self, routes: Mapping[str, App], site: Site) -> None:
        self._routes = routes
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        app = self._routes.get(scope["path"])
        try:
            if app is not None:
                await app(scope, receive, send)
            else:
                await (await self._site.app())(scope, receive, send)
        except RequestError as error:
            await send_problem(send, error, request_id_of(header(scope, b"x-request-id")))
        except Exception:
            request_id = request_id_of(header(scope, b"x-request-id"))
            log.exception("%s: request %s failed inside the runtime", scope["path"], request_id.decode())
            await send_problem(send, InternalError("The service failed on this request."), request_id)
