from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime.transport.bodies import ContentKey, Sent, content_key, inline_body, spooled_body, unpack_body

FORM = b"multipart/form-data; boundary="


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_inline(content_type: bytes, data: bytes) -> None:
    """A small body arrives as it was sent, whatever its type says."""
    assert unpack_body(inline_body(content_type, data)) == Sent(content_type.decode("latin-1"), len(data), data)


def test_spooled() -> None:
    """A large one is a path; its size and what it is known by are its content's."""
    deleted: list[str] = []
    body = spooled_body(b"image/png", "/tmp/\udcff/1", 5_000_000, b"key", lambda: deleted.append("it"))
    assert unpack_body(body) == Sent("image/png", 5_000_000, path="/tmp/\udcff/1")
    assert (body.size, content_key(body), len(body) < 100) == (5_000_000, b"key", True)
    body.discard()
    assert deleted == ["it"]


def key_of(content_type: bytes, pieces: list[bytes]) -> bytes:
    """Return the key of a content that arrives in pieces."""
    key = ContentKey(content_type)
    for piece in pieces:
        key.update(piece)
    return key.digest()


def form(boundary: bytes, *values: bytes) -> bytes:
    """Return a form."""
    parts = [b"--" + boundary + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + value for value in values]
    return b"\r\n".join([*parts, b"--" + boundary + b"--\r\n"])


@given(st.data(), st.sampled_from([b"aa", b"aba", b"----x1", b"--"]), st.binary(max_size=20))
def test_a_key_is_the_same_however_it_arrives(data: st.DataObject, boundary: bytes, value: bytes) -> None:
    """Pieces do not count, also where a boundary lies across them."""
    whole = form(boundary, value, b"abaabaa")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert key_of(FORM + boundary, pieces) == key_of(FORM + boundary, [whole])


@pytest.mark.parametrize("quoted", [False, True])
def test_a_boundary_does_not_count(quoted: bool) -> None:
    """The same form sent again has another boundary, and is known all the same."""
    keys = set()
    for boundary in (b"----WebKitFormBoundaryAbc123", b"2f6a9be8"):
        content_type = FORM + (b'"' + boundary + b'"' if quoted else boundary) + b"; charset=utf-8"
        keys.add(content_key(inline_body(content_type, form(boundary, b"poison"))))
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((b"image/png", b"1"), (b"image/png", b"2")),
        ((b"image/png", b"1"), (b"image/gif", b"1")),
        ((FORM + b"b", form(b"b", b"1")), (FORM + b"b", form(b"b", b"2"))),
    ],
)
def test_contents_differ(first: tuple[bytes, bytes], second: tuple[bytes, bytes]) -> None:
    """Other bytes, or another type, are another content."""
    assert content_key(inline_body(*first)) != content_key(inline_body(*second))
