"""One request and what came of it. Redirects are not followed: a key goes to the service that it is for."""

from __future__ import annotations

import http.client
import json
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from litgen_runtime.client.errors import ClientError, Refused, Unreachable
from litgen_runtime.client.replies import Answer
from litgen_runtime.client.retries import retry_after

_PATH = re.compile(r"/[\x21-\x7e]*")
_VALUE = re.compile(r"[\x20-\x7e]*")
_NOT_SENT = (ConnectionRefusedError, socket.gaierror)


class _Straight(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


_OPENER = urllib.request.build_opener(_Straight)
_HERE = urllib.request.build_opener(_Straight, urllib.request.ProxyHandler({}))
_OURS = frozenset({"localhost", "127.0.0.1", "::1"})  # no proxy is to see the key of what is here


def address_of(url: str) -> str:
    """Return a service's address, to which paths are added.

    Raises:
        ClientError: it is none. What the message shows has no password in it.
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if is_address and "@" in parts.netloc:
        raise ClientError(f"url names a user of {parts.hostname}; services ask for a key: Client(url, key).")
    if not is_address or parts.query or parts.fragment or not _VALUE.fullmatch(url):
        raise ClientError(f"url is {url!r}; expected the address of a service, such as http://127.0.0.1:8000.")
    return url.rstrip("/")


def expect_path(path: str) -> None:
    """Make sure that a path cannot become part of the address.

    Raises:
        ClientError: it does not begin with a slash, or has to be quoted.
    """
    if not _PATH.fullmatch(path):
        raise ClientError(f"path is {path!r}; expected one as in service.toml, such as /embed, other letters quoted.")


def expect_value(name: str, value: str, *, is_secret: bool = False) -> None:
    """Make sure that a header can have a value.

    Raises:
        ClientError: it cannot; a secret is not in the message.
    """
    if not _VALUE.fullmatch(value):
        what = f"{name} has other characters" if is_secret else f"{name} is {value!r}"
        raise ClientError(f"{what}; expected visible ASCII characters, on one line. Correct it.")


def exchange(method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float) -> Answer:
    """Make a request once.

    Args:
        method: such as ``POST``.
        url: in full.
        headers: by name.
        body: None for none.
        timeout_s: how long nothing may come, in seconds.

    Raises:
        Refused: the answer is an error, or leads elsewhere.
        Unreachable: there is no answer.
    """
    request = urllib.request.Request(url, method=method, headers=dict(headers), data=body)  # noqa: S310 - http or https, as Client has made sure
    try:
        with (_HERE if urlsplit(url).hostname in _OURS else _OPENER).open(request, timeout=timeout_s) as answer:
            return Answer(answer.status, _lowered(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            raise _refused(error) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        why = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise Unreachable(
            f"{method} {url} has no answer: {why}. Start the service, or correct the address.",
            was_sent=not isinstance(reason, _NOT_SENT),
        ) from None


def _refused(error: urllib.error.HTTPError) -> Refused:
    try:
        body = error.read()
    except (OSError, http.client.HTTPException):
        body = b""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"detail": body[:200].decode(errors="replace") or str(error.reason)}
    return Refused(error.code, problem, retry_after(error.headers.get("Retry-After"), time.time()))


def _lowered(headers: http.client.HTTPMessage) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
