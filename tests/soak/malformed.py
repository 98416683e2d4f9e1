"""Requests that no client should send, and what each of them has to be told."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from tests.soak import lines
from tests.soak.target import MAX_JSON_BYTES, ORDINARY

_UNCHECKED = json.dumps({"key": "x" * 70_000, "value": 1}).encode()  # too large for the door: the worker judges it

Case = tuple[bytes, str]


def malformed(endpoint: str, key: str, dice: random.Random) -> tuple[bytes, frozenset[str]]:
    """Return the bytes of a bad request, and the codes that it may get."""
    data, code = dice.choice(_CASES)(f"/{endpoint}", key)
    judged_late = data.endswith(_UNCHECKED)
    return data, frozenset({code}) | (ORDINARY[endpoint] - {"ok"} if judged_late else frozenset())


def _body(body: bytes, code: str) -> Callable[[str, str], Case]:
    return lambda path, key: (lines.post(path, key, body), code)


def _header(header: str, code: str) -> Callable[[str, str], Case]:
    return lambda path, key: (lines.post(path, key, b'{"key": "x", "value": 1}', header), code)


def _media_type(path: str, key: str) -> Case:
    data = lines.post(path, key, b"{}")
    return data.replace(b"application/json", b"text/plain"), "unsupported-media-type"


_CASES: list[Callable[[str, str], Case]] = [
    _body(b"", "invalid-json"),
    _body(b"{", "invalid-json"),
    _body(b"\xff\xfe", "invalid-json"),
    _body(b"[" * 50_000, "invalid-json"),
    _body(b"[]", "invalid-input"),
    _body(b'{"key": 1, "value": "x"}', "invalid-input"),
    _body(_UNCHECKED, "invalid-input"),
    _body(b" " * (MAX_JSON_BYTES + 1), "payload-too-large"),
    _header("X-Request-Timeout: soon", "invalid-header"),
    _media_type,
    lambda path, key: (lines.post(path + "/nowhere", key, b"{}"), "not-found"),
    lambda path, key: (lines.get(path, key), "method-not-allowed"),
    lambda path, key: (b"\x00\x01 nonsense\r\n\r\n", "invalid-http"),
]
