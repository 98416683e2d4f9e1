from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime.errors import HTTPError
from litgen_runtime.http.messages import header, request_id_of, send_json, send_problem
from tests.unit.runtime.fakes import run


@pytest.mark.parametrize("given_id", [b"a", b"A-1._z", b"x" * 128])
def test_clients_id(given_id: bytes) -> None:
    """A well-formed id of the client is kept."""
    assert request_id_of(given_id) == given_id


@pytest.mark.parametrize(
    "given_id", [None, b"", b"x" * 129, b"a b", b"a\r\nSet-Cookie: b", b"a\n", "\u00e9".encode(), b"a/b", b"\x00"]
)
def test_new_id(given_id: bytes | None) -> None:
    """Anything else is replaced by a new id, a different one each time."""
    one, other = request_id_of(given_id), request_id_of(given_id)
    assert one not in (other, given_id)


@given(st.none() | st.binary(max_size=200))
def test_id_is_always_well_formed(given_id: bytes | None) -> None:
    """Whatever comes, the id can stand in a header and in a log line."""
    assert re.fullmatch(rb"[A-Za-z0-9._-]{1,128}", request_id_of(given_id))


def test_header() -> None:
    """The first header of a name counts; an absent one is None."""
    scope: MutableMapping[str, Any] = {"headers": [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]}
    assert (header(scope, b"a"), header(scope, b"c")) == (b"1", None)


async def sent(answer: Any, *arguments: Any) -> list[MutableMapping[str, Any]]:
    """Return the ASGI messages of an answer."""
    messages = []

    async def send(message: MutableMapping[str, Any]) -> None:
        messages.append(message)

    await answer(send, *arguments)
    return messages


def test_json_answer() -> None:
    """An answer frames itself and carries its request id."""
    start, body = run(sent(send_json, 202, b"{}", b"id-1", {"Retry-After": "5"}))
    assert start["status"] == 202
    assert start["headers"] == [
        (b"content-type", b"application/json"),
        (b"content-length", b"2"),
        (b"x-request-id", b"id-1"),
        (b"retry-after", b"5"),
    ]
    assert body == {"type": "http.response.body", "body": b"{}"}


def test_problem_answer() -> None:
    """A problem has its own media type, the error's headers, and the same id in header and document."""
    start, body = run(sent(send_problem, HTTPError(418, "Tea.", {"X-Pot": "caf\u00e9"}), b"id-1"))
    assert start["status"] == 418
    assert (b"content-type", b"application/problem+json") in start["headers"]
    assert (b"x-pot", "caf\u00e9".encode("latin-1")) in start["headers"]
    assert b'"request_id": "id-1"' in body["body"]
