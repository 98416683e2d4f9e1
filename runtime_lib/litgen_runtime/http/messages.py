"""The few pieces of HTTP that every answer of ours shares: headers, request ids, problem documents."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, NamedTuple, TypeAlias

from litgen_runtime.errors import RequestError

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_WITHOUT_BODY = (204, 304)  # Source: RFC 9110, 8.6 and 15.4.5


def request_id_of(given: bytes | None) -> bytes:
    """Return the client's X-Request-ID where it is well-formed, else a new one."""
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return os.urandom(16).hex().encode()


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return the first header of this lower-case name."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


class Head(NamedTuple):
    """The headers of a request that matter to us; None for those that are not there."""

    content_type: bytes | None
    content_length: bytes | None
    request_id: bytes
    timeout: bytes | None
    content_encoding: bytes | None


def head_of(headers: Iterable[tuple[bytes, bytes]]) -> Head:
    """Read the headers once."""
    content_type = length = request_id = timeout = encoding = None
    for name, value in headers:
        if name == b"content-type":
            content_type = value
        elif name == b"content-length":
            length = value
        elif name == b"x-request-id":
            request_id = value
        elif name == b"x-request-timeout":
            timeout = value
        elif name == b"content-encoding":
            encoding = value
    return Head(content_type, length, request_id_of(request_id), timeout, encoding)


class Answer(NamedTuple):
    """What a client is told."""

    status: int
    content_type: bytes
    body: bytes
    headers: Mapping[str, str] = {}

    def lines(self, request_id: bytes) -> list[tuple[bytes, bytes]]:
        """Return all the headers, as ASGI has them."""
        lines = [
            (b"content-type", self.content_type),
            (b"content-length", b"%d" % len(self.body)),
            (b"x-request-id", request_id),
        ]
        if self.status in _WITHOUT_BODY:
            del lines[:2]
        for name, value in self.headers.items():
            lines.append((name.lower().encode("latin-1"), value.encode("latin-1")))
        return lines


def problem(error: RequestError, request_id: bytes) -> Answer:
    """Return an error's problem document."""
    return Answer(error.status, b"application/problem+json", error.problem(request_id.decode()), error.headers)


async def send_answer(send: Send, answer: Answer, request_id: bytes) -> None:
    """Answer."""
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.lines(request_id)})
    await send({"type": "http.response.body", "body": answer.body})


async def send_json(
    send: Send, status: int, body: bytes, request_id: bytes, headers: Mapping[str, str] | None = None
) -> None:
    """Answer with a JSON document."""
    await send_answer(send, Answer(status, b"application/json", body, headers or {}), request_id)


async def send_problem(send: Send, error: RequestError, request_id: bytes) -> None:
    """Answer with an error's problem document."""
    await send_answer(send, problem(error, request_id), request_id)
