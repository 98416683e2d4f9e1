from __future__ import annotations

import contextlib
import email.policy
from email.mime.multipart import MIMEMultipart
from typing import Any
from unittest import mock

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime import Upload
from litgen_runtime.errors import InvalidForm, PayloadTooLarge
from litgen_runtime.upload import InMemory
from litgen_runtime.worker import forms
from litgen_runtime.worker.forms import is_form, read_form

TYPE = "multipart/form-data; boundary=B"


def read(body: bytes, content_type: str = TYPE, chunk_bytes: int | None = None) -> Upload:
    """Read a form, in chunks of a size."""
    with mock.patch.object(forms, "_CHUNK_BYTES", chunk_bytes or forms._CHUNK_BYTES):
        return read_form(content_type, InMemory(body), len(body))


def part(headers: str, value: bytes = b"value", boundary: bytes = b"B") -> bytes:
    """Return one part of a form."""
    return b"--" + boundary + b"\r\n" + headers.encode() + b"\r\n\r\n" + value + b"\r\n"


def field(name: str = "a", value: bytes = b"value") -> bytes:
    """Return a field."""
    return part(f'Content-Disposition: form-data; name="{name}"', value)


END = b"--B--\r\n"


def sent(**request: Any) -> tuple[bytes, str]:
    """Return a form as httpx writes it."""
    built = httpx.Request("POST", "http://x", **request)
    return built.read(), built.headers["content-type"]


def test_what_httpx_sends() -> None:
    """Files with names and types, and fields, repeated or not, come as they were sent."""
    body, content_type = sent(
        files=[
            ("image", ("a b.png", b"\x00\x01\r\n--", "image/png")),
            ("image", ("\u00e4.bin", b"")),
            ("other", ('q"uote.txt', b"x" * 100_000, "text/plain")),
        ],
        data={"top": "5", "tag": ["a", "\u00e9"], "empty": ""},
    )
    upload = read(body, content_type)
    first, second = upload.files["image"]
    assert (first.filename, first.content_type, first.read()) == ("a b.png", "image/png", b"\x00\x01\r\n--")
    assert (second.filename, second.content_type, second.read()) == ("\u00e4.bin", "application/octet-stream", b"")
    assert (upload.files["other"][0].filename, upload.files["other"][0].size) == ('q"uote.txt', 100_000)
    assert upload.fields == {"top": ["5"], "tag": ["a", "\u00e9"], "empty": [""]}


BOUNDARIES = st.sampled_from([b"B", b"--", b"x" * 70, b"a-b"])


@given(
    BOUNDARIES,
    st.lists(
        st.tuples(st.booleans(), st.lists(st.sampled_from([b"\r\n", b"--", b"B", b"\r\n--", b"z", b"\r"]))), max_size=5
    ),
    st.integers(1, 300),
)
def test_pieces(boundary: bytes, parts: list[tuple[bool, list[bytes]]], chunk_bytes: int) -> None:
    """However a form lies across the chunks in which it is read, its parts are what was sent."""
    values = [(is_file, b"".join(words)) for is_file, words in parts]
    values = [(is_file, value) for is_file, value in values if b"\r\n--" + boundary not in b"\r\n" + value + b"\r\n"]
    body = b"".join(
        part(f'Content-Disposition: form-data; name="{i}"' + ('; filename="f"' if is_file else ""), value, boundary)
        for i, (is_file, value) in enumerate(values)
    )
    upload = read(body + b"--" + boundary + b"--", f'multipart/form-data; boundary="{boundary.decode()}"', chunk_bytes)
    found = {name: file.read() for name, (file,) in upload.files.items()}
    found |= {name: value.encode() for name, (value,) in upload.fields.items()}
    assert found == {str(i): value for i, (_, value) in enumerate(values)}
    assert set(upload.files) == {str(i) for i, (is_file, _) in enumerate(values) if is_file}


@pytest.mark.parametrize(
    ("given", "filename"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\\\temp\\\\a.png", "a.png"),
        ("a%22b.png", 'a"b.png'),
        ("/", ""),
    ],
)
def test_file_names_have_no_folders(given: str, filename: str) -> None:
    """What a client calls a file is a name at most, never a path."""
    body = part(f'Content-Disposition: form-data; name="a"; filename="{given}"') + END
    assert read(body).file.filename == filename


def test_a_file_input_that_nothing_was_chosen_for() -> None:
    """Browsers send an empty file without a name: there is none."""
    body = part('Content-Disposition: form-data; name="a"; filename=""\r\nContent-Type: application/octet-stream', b"")
    assert read(body + END).files == {}


@pytest.mark.parametrize("body", [END, b"\r\n" + END, b"--B--"])
def test_an_empty_form(body: bytes) -> None:
    """A form without parts is a form."""
    upload = read(body)
    assert (upload.files, upload.fields) == ({}, {})


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b"", TYPE, "its last boundary is missing"),
        (field()[:-9], TYPE, "ends within its part 1"),
        (field() + field()[:20], TYPE, "ends within its part 2"),
        (b"not a form", TYPE, "malformed in its part 1"),
        (b"--C\r\n\r\n--C--", TYPE, "malformed in its part 1"),
        (field() + END, "multipart/form-data", "names no boundary"),
        (field() + END, "multipart/form-data; boundary=", "names no boundary"),
        (field() + END, f"multipart/form-data; boundary={'B' * 300}", "boundary cannot be used"),
        (part("Content-Type: text/plain") + END, TYPE, "with a name"),
        (part("Content-Disposition: form-data") + END, TYPE, "with a name"),
        (part('Content-Disposition: attachment; name="a"') + END, TYPE, "says 'attachment'"),
        (part('Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64') + END, TYPE, "'base64'"),
        (field() + part("no colon") + END, TYPE, "malformed in its part 2"),
        (part(": empty") + END, TYPE, "malformed in its part 1"),
        (part("X-A: " + "a" * 5000) + END, TYPE, "Maximum header size"),
        (part("\r\n".join(f"X-{i}: a" for i in range(20))) + END, TYPE, "malformed in its part 1: Maximum"),
        (field("a", b"\xff") + END, TYPE, "field 'a' is not UTF-8"),
    ],
)
def test_malformed(body: bytes, content_type: str, words: str) -> None:
    """A form that is none is 400, and the answer says what is wrong where."""
    with pytest.raises(InvalidForm) as refused:
        read(body, content_type)
    assert words in refused.value.detail
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (field(value=b"") * 1001 + END, "more than 1000 parts"),
        (
            part('Content-Disposition: form-data; name="a"; filename="f"', b"\r\n--Bx" * 1001) + END,
            "more than 1000 parts",
        ),
        (field(value=b"x" * 1_048_577) + END, "fields hold more than 1048576 bytes"),
        (field(value=b"x" * 600_000) * 2 + END, "fields hold more than 1048576 bytes"),
    ],
    ids=["parts", "false boundaries", "field", "fields"],
)
def test_too_much(body: bytes, words: str) -> None:
    """A form that is made to cost time or memory is 413."""
    with pytest.raises(PayloadTooLarge, match=words):
        read(body)


def test_as_much_as_may_be() -> None:
    """A thousand parts, and a mebibyte in the fields, are fine."""
    upload = read(field(value=b"x" * 1_048_576) + field("b", b"") * 999 + END)
    assert (len(upload.fields["a"][0]), len(upload.fields["b"])) == (1_048_576, 999)


@given(st.binary(max_size=300), st.integers(1, 50))
def test_garbage(garbage: bytes, chunk_bytes: int) -> None:
    """Whatever comes is a form or a refusal."""
    for body in (garbage, b"--B\r\n" + garbage, field() + b"--B" + garbage + END):
        with contextlib.suppress(InvalidForm, PayloadTooLarge):
            read(body, chunk_bytes=chunk_bytes)


@pytest.mark.parametrize(
    ("content_type", "answer"),
    [("multipart/form-data; boundary=x", True), ("Multipart/Form-Data", True), ("multipart/mixed", False), ("", False)],
)
def test_is_form(content_type: str, answer: bool) -> None:
    """Only forms are parsed."""
    assert is_form(content_type) is answer


def test_what_the_standard_library_writes() -> None:
    """A form written by the email package is read too."""
    message = MIMEMultipart("form-data", boundary="B", policy=email.policy.HTTP)
    for name in ("a", "b"):
        inner = MIMEMultipart()
        del inner["content-type"], inner["mime-version"]
        inner["Content-Disposition"] = f'form-data; name="{name}"'
        inner.set_payload("1")
        message.attach(inner)
    body = message.as_bytes().partition(b"\r\n\r\n")[2]
    assert read(body).fields == {"a": ["1"], "b": ["1"]}
