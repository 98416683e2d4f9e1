"""POST /shutdown: opt-in, authenticated, audited."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Sequence

from litgen_runtime.errors import MethodNotAllowed, RequestError, Unauthorized
from litgen_runtime.http.gate import bearer
from litgen_runtime.http.messages import Receive, Scope, Send, header, request_id_of, send_json, send_problem

audit = logging.getLogger("litgen_runtime.audit")


class ShutdownApi:
    """The endpoint itself.

    Args:
        keys: any of them opens it.
        shut_down: begins the drain; told who asked.
    """

    def __init__(self, keys: Sequence[str], shut_down: Callable[[str], None]) -> None:
        self._keys = [key.encode() for key in keys]
        self._shut_down = shut_down

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin the drain, or say why not; either way an audit line is written."""
        request_id = request_id_of(header(scope, b"x-request-id"))
        host, port = scope.get("client") or ("unknown", 0)
        who = f"{host}:{port} request {request_id.decode()}"
        if scope["method"] != "POST":
            audit.warning("shutdown refused: %s, method %s", who, scope["method"])
            refusal: RequestError = MethodNotAllowed("/shutdown answers POST.", {"Allow": "POST"})
            await send_problem(send, refusal, request_id)
            return
        given = header(scope, b"authorization")
        if not self._opens(given):
            audit.warning("shutdown refused: %s, %s key", who, "wrong" if given else "no")
            refusal = Unauthorized(
                "A shutdown key is needed. Send it as 'Authorization: Bearer KEY'.", {"WWW-Authenticate": "Bearer"}
            )
            await send_problem(send, refusal, request_id)
            return
        audit.warning("shutdown accepted: %s", who)
        await send_json(send, 202, b'{"status":"draining"}', request_id)
        self._shut_down(f"POST /shutdown by {who}")

    def _opens(self, given: bytes | None) -> bool:
        key = bearer(given or b"") or b""
        matches = [hmac.compare_digest(key, known) for known in self._keys]
        return any(matches)
