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
_IDS_AT_ONCE = 64
_new_ids: list[bytes] = []
_WITHOUT_BODY = (204, 304)  # Source: RFC 9110, 8.6 and 15.4.5


def request_id_of(given: bytes | None) -> bytes:
    """Return the client's X-Request-ID where it is well-formed, else a new one."""
    return _well_formed(given) or new_request_id()


def new_request_id() -> bytes:
    """Return 128 random bits, in hexadecimal."""
    if not _new_ids:  # the system gives many for the price of one
        text = os.urandom(_IDS_AT_ONCE * 16).hex().encode()
        _new_ids.extend(text[start : start + 32] for start in range(0, len(text), 32))
    return _new_ids.pop()


def _well_formed(request_id: bytes | None) -> bytes | None:
    return request_id if request_id is not None and _REQUEST_ID.fullmatch(request_id) else None


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return the first header of this lower-case name."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


class Head(NamedTuple):
    """The headers of a request that matter to us; None for those that are not there, or make no request id."""

    content_type: bytes | None
    content_length: bytes | None
    request_id: bytes | None
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
    return Head(content_type, length, _well_formed(request_id), timeout, encoding)


class Answer(NamedTuple):
    """What a client is told."""

    status: int
    content_type: bytes
    body: bytes
    headers: Mapping[str, str] = {}

    def head(self, request_id: bytes) -> bytes:
        """Return all the headers, as HTTP/1.1 has them."""
        if self.headers or self.status in _WITHOUT_BODY:
            return joined(self.lines(request_id))
        return b"content-type: %b\r\ncontent-length: %d\r\nx-request-id: %b\r\n" % (
            self.content_type,
            len(self.body),
            request_id,
        )

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


def joined(lines: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return headers as HTTP/1.1 has them."""
    return b"".join([b"%b: %b\r\n" % line for line in lines])


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
