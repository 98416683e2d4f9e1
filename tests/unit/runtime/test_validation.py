from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from litgen_runtime.errors import InvalidInput, InvalidJSON, RequestError
from litgen_runtime.validation import refusal


class Inner(BaseModel):
    count: int


class Body(BaseModel):
    text: str
    inner: list[Inner] = []
    names: dict[str, int] = {}


def refused(body: bytes, kind: Any = Body) -> RequestError:
    """Return the problem for a body."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_json(body)
    return refusal(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{'a': 1}",
        b"\xff\xfe",
        b'{"text": "\xff"}',
        b'{"text": "\\ud800"}',
        b"[" * 100_000,
        b'{"inner":' * 10_000,
        b'{"text": "a"} x',
        b"\x00",
    ],
    ids=repr,
)
def test_not_json(body: bytes) -> None:
    """Empty, cut, non-UTF-8 and too deeply nested bodies are all 400 invalid-json."""
    error = refused(body)
    assert isinstance(error, InvalidJSON)
    assert error.detail.startswith("The body is not valid JSON: ")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"{}", "/text"),
        (b'{"text": 3}', "/text"),
        (b'{"text": "", "inner": [{"count": 1}, {"count": "x"}]}', "/inner/1/count"),
        (b'{"text": "", "names": {"a/b~c": "x"}}', "/names/a~1b~0c"),
        (b'{"text": "", "names": {"": "x"}}', "/names/"),
    ],
)
def test_pointer(body: bytes, pointer: str) -> None:
    """The field is named by its JSON pointer, in the sentence and for programs."""
    error = refused(body)
    assert isinstance(error, InvalidInput)
    problems: Any = error.extra["errors"]
    assert [problem["pointer"] for problem in problems] == [pointer]
    assert error.detail.startswith(f"{pointer}: ")


@pytest.mark.parametrize("body", [b"3", b"null", b'"x"', b"[]"])
def test_wrong_type_of_the_whole_body(body: bytes) -> None:
    """Where the body itself is wrong, the pointer is empty and the sentence says so."""
    error = refused(body)
    assert isinstance(error, InvalidInput)
    assert error.detail.startswith("the body: ")


def test_many_errors() -> None:
    """A body of thousands of wrong items gets an answer of bounded size that counts them all."""
    error = refused(b"[" + b"0," * 9_999 + b"0]", list[str])
    assert len(error.extra["errors"]) == 20  # type: ignore[arg-type]
    assert "(and 9999 more)" in error.detail


def test_input_does_not_come_back() -> None:
    """What was sent is not repeated: an answer does not hold a client's secrets or megabytes."""
    assert b"hunter2" not in refused(b'{"text": {"password": "hunter2"}}').problem("id")
