from __future__ import annotations

import pytest

from litgen_runtime.http.heads import MAX_HEADER_BYTES, refusal_of

HOST = (b"host", b"a")


@pytest.mark.parametrize(
    ("headers", "version", "status", "said"),
    [
        ([HOST], "1.1", None, ""),
        ([HOST], "1.0", None, ""),
        ([], "1.0", None, ""),
        ([(b"host", b"")], "1.1", None, ""),
        ([], "1.1", 400, "has 0 Host headers; send one"),
        ([(b"host", b"my_service-1.example:8000")], "1.1", None, ""),
        ([(b"host", b"[::1%25eth0]:8000")], "1.1", None, ""),
        ([(b"host", b"a%20b:")], "1.0", None, ""),
        ([(b"host", b"a b")], "1.1", 400, "The Host header is 'a b'; send a name or an address"),
        ([(b"host", b"a/")], "1.1", 400, "The Host header is 'a/'"),
        ([(b"host", b'"')], "1.0", 400, "The Host header is"),
        ([(b"host", b"user@a")], "1.1", 400, "The Host header is 'user@a'"),
        ([(b"host", b"a:b")], "1.1", 400, "The Host header is 'a:b'"),
        ([(b"host", b"::1")], "1.1", 400, "The Host header is '::1'"),
        ([(b"host", b"[::1")], "1.1", 400, "The Host header is"),
        ([(b"host", b"%2")], "1.1", 400, "The Host header is"),
        ([(b"host", b"a" * 60_000 + b"/")], "1.1", 400, "a'; send a name or an address"),
        ([HOST, HOST], "1.1", 400, "has 2 Host headers; send one"),
        ([HOST, HOST], "1.0", 400, "has 2 Host headers; send one"),
        ([HOST], "2.0", 400, "is in HTTP/2.0; send it in HTTP/1.1"),
        ([HOST], "0.9", 400, "is in HTTP/0.9; send it in HTTP/1.1"),
        ([HOST, (b"transfer-encoding", b"Chunked")], "1.1", None, ""),
        ([HOST, (b"transfer-encoding", b"gzip")], "1.1", 501, "is 'gzip'; send it as chunked alone"),
        ([HOST, (b"x", b"x" * MAX_HEADER_BYTES)], "1.1", 431, "larger than 65536 bytes"),
    ],
)
def test_heads(headers: list[tuple[bytes, bytes]], version: str, status: int | None, said: str) -> None:
    """A head is refused for its version, its hosts, its coding or its size, and says for which."""
    refusal = refusal_of(b"/embed", headers, version)
    assert (None if refusal is None else refusal.status) == status
    assert said in str(refusal)
