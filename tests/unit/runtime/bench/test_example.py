from __future__ import annotations

from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from litgen_runtime.bench.example import NoExampleError, documents


class Color(Enum):
    RED = "red"


class Inner(BaseModel):
    size: int = Field(examples=[3, 4])


class Rich(BaseModel):
    text: str = Field(examples=["a quick brown fox"])
    inner: Inner
    color: Color
    kind: Literal["a"]
    choice: Inner | None = Field(examples=[None])
    optional: float = 1.0
    shown: int = Field(default=5, examples=[6])


class Whole(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"x": 1.0}, {"x": 2.0}]})

    x: float


class One(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"x": 1.0}})

    x: float


class Holder(BaseModel):
    inner: Whole


class Poor(BaseModel):
    text: str
    inner: PoorInner


class PoorInner(BaseModel):
    numbers: list[float]


class Tree(BaseModel):
    name: str = Field(examples=["leaf"])
    child: Tree


def made(model: Any) -> list[Any]:
    """Return the documents made for a model, from its schema as the service's OpenAPI document holds it."""
    schema = TypeAdapter(model).json_schema(ref_template="#/components/schemas/{model}")
    return documents(schema, schema.pop("$defs", {}))


def test_from_fields() -> None:
    """Each required field says its example, enums and constants by themselves; optional ones only if they have one."""
    (document,) = made(Rich)
    inner = {"size": 3}
    assert document == {
        "text": "a quick brown fox",
        "inner": inner,
        "color": "red",
        "kind": "a",
        "choice": None,
        "shown": 6,
    }
    Rich.model_validate(document)


@pytest.mark.parametrize(
    ("model", "expected"),
    [(Whole, [{"x": 1.0}, {"x": 2.0}]), (One, [{"x": 1.0}]), (Holder, [{"inner": {"x": 1.0}}])],
)
def test_from_the_model(model: Any, expected: list[Any]) -> None:
    """A model's own examples are taken as they are, all of them."""
    assert made(model) == expected


def test_missing_are_named() -> None:
    """Every field without an example is named, with the way to it."""
    with pytest.raises(NoExampleError, match=r"^text, inner\.numbers$"):
        made(Poor)


def test_endless_model() -> None:
    """A model that needs itself has no example, instead of a recursion without end."""
    with pytest.raises(NoExampleError, match=r"child"):
        made(Tree)


def test_not_an_object() -> None:
    """A body that is no object and has no example is said to be missing as a whole."""
    with pytest.raises(NoExampleError, match="the whole body"):
        made(list[float])
