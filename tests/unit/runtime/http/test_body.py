from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime.errors import PayloadTooLarge
from litgen_runtime.http.body import ClientGone, read_body
from tests.unit.runtime.fakes import run


def read(chunks: list[bytes], declared: bytes | None = None, limit: int = 10, *, leaves: bool = False) -> bytes:
    """Read a body that arrives in chunks; ``leaves``: the client goes before the end."""
    messages: list[MutableMapping[str, Any]] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    messages.append({"type": "http.disconnect"} if leaves else {"type": "http.request"})

    async def receive() -> MutableMapping[str, Any]:
        return messages.pop(0)

    return run(read_body(receive, declared, limit))


@given(st.lists(st.binary(max_size=5), max_size=5), st.integers(1, 20))
def test_chunks(chunks: list[bytes], limit: int) -> None:
    """A body is the sum of its chunks, or too large: never cut, never longer than the limit."""
    whole = b"".join(chunks)
    if len(whole) <= limit:
        assert read(chunks, limit=limit) == whole
    else:
        with pytest.raises(PayloadTooLarge):
            read(chunks, limit=limit)


def test_one_message() -> None:
    """A body in one message is given as it is."""

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"0123456789"}

    assert run(read_body(receive, b"10", 10)) == b"0123456789"


@pytest.mark.parametrize("declared", [b"11", b"99999999999999999999"])
def test_declared_too_large(declared: bytes) -> None:
    """A body that says it is too large is refused before any of it is read; the limit is named."""

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("nothing should be read")

    with pytest.raises(PayloadTooLarge, match="max_json_bytes of 10 bytes") as refused:
        run(read_body(receive, declared, 10))
    assert refused.value.headers == {"Connection": "close"}


@pytest.mark.parametrize("declared", [b"-1", b"x", b"", None])
def test_declared_nonsense(declared: bytes | None) -> None:
    """A length that is no number is the protocol's matter; what arrives is still bounded."""
    with pytest.raises(PayloadTooLarge):
        read([b"0123456789", b"x"], declared)


@pytest.mark.parametrize("chunks", [[], [b"some"]])
def test_client_leaves(chunks: list[bytes]) -> None:
    """A client that leaves half-way is nobody to answer."""
    with pytest.raises(ClientGone):
        read(chunks, leaves=True)
