"""What is sent: found out from the service's OpenAPI document and the command line, before anything is started."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from litgen_runtime._version import __version__
from litgen_runtime.bench.client import Target
from litgen_runtime.bench.example import NoExampleError, documents, encoded

_JSON = "application/json"
_BYTES = "application/octet-stream"
_FORM = "multipart/form-data"


class UsageError(Exception):
    """The command line asks for what cannot be; says what to do."""


@dataclass(frozen=True)
class Asked:
    """What the command line says of the requests.

    Args:
        path: the endpoint's.
        data: a body: ``-`` (standard input), ``@FILE``, a file's name, or JSON.
        content_type: of the body.
        headers: further ones, each ``Name: value``.
    """

    path: str
    data: str | None = None
    content_type: str | None = None
    headers: Sequence[str] = ()


@dataclass(frozen=True)
class Plan:
    """What is sent to which endpoint.

    Args:
        endpoint: its name.
        path: its path.
        bodies: sent in turn.
        headers: sent with each of them.
    """

    endpoint: str
    path: str
    bodies: Sequence[bytes]
    headers: Mapping[str, str]

    def target(self, url: str) -> Target:
        """Return where to send it, and the whole messages."""
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        lines = {"Host": parts.netloc.rpartition("@")[2], **self.headers}
        head = f"POST {parts.path.rstrip('/')}{self.path} HTTP/1.1\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        messages = [f"{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body for body in self.bodies]
        return Target(parts.hostname or "", parts.port or (443 if tls else 80), tls, messages)


def checked_url(url: str) -> str:
    """Return where a service is, without a slash at the end.

    Raises:
        UsageError: that is no address.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"--url is {url!r}; expected http://HOST:PORT, as the service's log says it.")
    return url.rstrip("/")


def plan(openapi: Mapping[str, Any], asked: Asked) -> Plan:
    """Return what is sent.

    Args:
        openapi: the service's document.
        asked: the command line.

    Raises:
        UsageError: no such endpoint, or no body can be made for it.
    """
    operation = _operation(openapi, asked.path)
    taken = operation["requestBody"]["content"]
    content_type = asked.content_type or (_JSON if _JSON in taken else _BYTES)
    if asked.data is not None:
        bodies = [_given(asked.data, content_type)]
    elif _JSON in taken:
        bodies = _examples(operation["operationId"], taken[_JSON]["schema"], openapi)
    else:
        what = "an upload" if _FORM in taken else "bytes"
        raise UsageError(f"{asked.path} takes {what}, of which there is no example. Pass --data FILE.")
    return Plan(
        operation["operationId"], asked.path, bodies, {"Content-Type": content_type, **headers_of(asked.headers)}
    )


def _operation(openapi: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    found: dict[str, Mapping[str, Any]] = {
        there: methods["post"]
        for there, methods in openapi.get("paths", {}).items()
        if "endpoints" in methods.get("post", {}).get("tags", ())
    }
    if path not in found:
        raise UsageError(f"there is no endpoint at {path!r}; expected one of: {', '.join(found) or 'none found'}.")
    return found[path]


def _examples(name: str, schema: Mapping[str, Any], openapi: Mapping[str, Any]) -> list[bytes]:
    try:
        return encoded(documents(schema, openapi.get("components", {}).get("schemas", {})))
    except NoExampleError as error:
        raise UsageError(
            f"the request model of endpoints.{name} has no example for: {error}. "
            "Give each of them one in schemas.py, as in Field(examples=[...]), or pass --data with a whole body."
        ) from None


def _given(data: str, content_type: str) -> bytes:
    """Read what --data names.

    Raises:
        UsageError: there is no such file, or it is not what the content type says.
    """
    body = _read(data)
    if content_type == _JSON:
        try:
            json.loads(body)
        except ValueError as error:
            raise UsageError(
                f"--data {data[:60]!r} is neither a file nor JSON ({error}). "
                "Pass a JSON document, a file's name, or - for standard input."
            ) from None
    return body


def _read(data: str) -> bytes:
    if data == "-":
        return sys.stdin.buffer.read()
    path = Path(data.removeprefix("@"))
    try:
        if data.startswith("@") or path.is_file():
            return path.read_bytes()
    except OSError as error:
        if data.startswith("@"):
            raise UsageError(f"--data {data!r} cannot be read: {error.strerror}. Name a file that exists.") from None
    return data.encode()


def headers_of(given: Sequence[str]) -> dict[str, str]:
    """Return the headers of every request but the body's own.

    Raises:
        UsageError: one of them is no header.
    """
    headers = {"User-Agent": f"litgen-bench/{__version__}"}
    for text in given:
        name, colon, value = text.partition(":")
        if not colon or not name.strip() or "\n" in text or "\r" in text:
            raise UsageError(f"--header is {text!r}; expected 'Name: value'.")
        headers[name.strip()] = value.strip()
    return headers
