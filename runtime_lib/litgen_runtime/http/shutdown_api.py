"""POST /shutdown: opt-in, authenticated, audited."""

from __future__ import annotations

import atexit
import hmac
import logging
import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from litgen_runtime.errors import MethodNotAllowed, RequestError, SettingsError, Unauthorized
from litgen_runtime.http.messages import Receive, Scope, Send, header, request_id_of, send_json, send_problem

log = logging.getLogger(__name__)
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
                "A shutdown key is needed. Send it as 'Authorization: Bearer KEY'.",
                {"WWW-Authenticate": "Bearer"},
            )
            await send_problem(send, refusal, request_id)
            return
        audit.warning("shutdown accepted: %s", who)
        await send_json(send, 202, b'{"status":"draining"}', request_id)
        self._shut_down(f"POST /shutdown by {who}")

    def _opens(self, given: bytes | None) -> bool:
        scheme, _, key = (given or b"").partition(b" ")
        matches = [hmac.compare_digest(key.strip(), known) for known in self._keys]
        return scheme.lower() == b"bearer" and any(matches)


def read_keys(environ: Mapping[str, str]) -> list[str]:
    """Return the keys of SHUTDOWN_API_KEY and SHUTDOWN_API_KEY_FILE, comma- or line-separated.

    With none, one is generated: shown once where a person reads standard error, else written to a private file
    whose path is logged.

    Raises:
        SettingsError: the file cannot be read, or holds no key.
    """
    text = environ.get("SHUTDOWN_API_KEY", "")
    path = environ.get("SHUTDOWN_API_KEY_FILE")
    if path:
        try:
            text += "," + Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"SHUTDOWN_API_KEY_FILE is {path!r}, unreadable: {error}. Expected a file of keys, one a line."
            ) from None
    keys = [key.strip() for key in text.replace("\n", ",").split(",") if key.strip()]
    if path and not keys:
        raise SettingsError(f"SHUTDOWN_API_KEY_FILE is {path!r}, which holds no key. Expected keys, one a line.")
    return keys or [_generated()]


def _generated() -> str:
    key = secrets.token_urlsafe(32)
    if sys.stderr.isatty():
        sys.stderr.write(f"No SHUTDOWN_API_KEY is set. For this run the key is {key}\n")
        return key
    descriptor, path = tempfile.mkstemp(prefix="litgen-shutdown-key-")  # mkstemp makes it 0600
    with os.fdopen(descriptor, "w") as file:
        file.write(key + "\n")
    atexit.register(Path(path).unlink, missing_ok=True)
    log.warning("no SHUTDOWN_API_KEY is set; a key for this run is in %s", path)
    return key
