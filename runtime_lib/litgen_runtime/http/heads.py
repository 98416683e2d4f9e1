"""What a request's head says that is refused, whatever the rest of it is."""

from __future__ import annotations

import re
from collections.abc import Iterable

from litgen_runtime.errors import HeadersTooLarge, InvalidJSON, RequestError, UnsupportedCoding

MAX_HEADER_BYTES = 65_536
_VERSIONS = ("1.1", "1.0")
# Source: RFC 3986, 3.2.2: an address in brackets, or a name, which may be empty; a port. Nothing is looked at twice.
_HOST = re.compile(rb"(?:\[[0-9A-Za-z:.%~_-]++\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]++|%[0-9A-Fa-f]{2})*+)(?::\d*+)?")


def refusal_of(url: bytes, headers: Iterable[tuple[bytes, bytes]], version: str) -> RequestError | None:
    """Return why the app is not to see a request; None if it may.

    Args:
        url: as it was sent.
        headers: all of them, their names in lower case.
        version: of HTTP, such as ``"1.1"``.
    """
    size, hosts, host = len(url), 0, b""
    for name, value in headers:
        size += len(name) + len(value) + 4
        if name == b"host":
            hosts, host = hosts + 1, value
        if name == b"transfer-encoding" and value.lower() != b"chunked":
            return _unsupported(value)
    if version not in _VERSIONS:
        return not_http(f"The request is in HTTP/{version}; send it in HTTP/1.1.")
    if hosts != 1 and (hosts or version != "1.0"):  # Source: RFC 9112, 3.2
        return not_http(f"The request has {hosts} Host headers; send one.")
    if _HOST.fullmatch(host) is None:
        return not_http(f"The Host header is {host[:80].decode('latin-1')!r}; send a name or an address.")
    return headers_too_large() if size > MAX_HEADER_BYTES else None


def last_words(error: RequestError, request_id: bytes) -> bytes:
    """Return a whole answer behind which the connection is closed."""
    body = error.problem(request_id.decode())
    lines = [
        f"HTTP/1.1 {error.status} {error.title}",
        "content-type: application/problem+json",
        f"content-length: {len(body)}",
        f"x-request-id: {request_id.decode()}",
        *(f"{name.lower()}: {value}" for name, value in error.headers.items()),
        "connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def not_http(detail: str) -> RequestError:
    """Return the refusal of bytes that are no HTTP/1.1."""
    error = InvalidJSON(detail)
    error.code, error.title = "invalid-http", "Bad request"
    return error


def headers_too_large() -> HeadersTooLarge:
    """Return the refusal of a header block that is over the limit."""
    return HeadersTooLarge(f"The headers are larger than {MAX_HEADER_BYTES} bytes. Send less.")


def _unsupported(coding: bytes) -> UnsupportedCoding:
    return UnsupportedCoding(f"The Transfer-Encoding is {coding[:80].decode('latin-1')!r}; send it as chunked alone.")
