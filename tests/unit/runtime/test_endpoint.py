from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
import pytest

from litgen_runtime.endpoint import BatchEndpoint, Endpoint, types_of
from tests.unit.runtime.mini import Answer, Ask, Many, Single, Untyped

X = TypeVar("X")
Y = TypeVar("Y")


class Base(Endpoint[X, Y], Generic[X, Y]):
    def predict(self, request: X) -> Y:
        raise NotImplementedError


class Concrete(Base[Ask, Answer], Endpoint[Ask, Answer]):
    pass


class Child(Many):
    pass


@pytest.mark.parametrize("handler", [Single, Many, Child, Concrete])
def test_types_of(handler: type[Any]) -> None:
    """The declared types are found, also through inheritance."""
    assert types_of(handler) == (Ask, Answer)


@pytest.mark.parametrize("handler", [Untyped, Base])
def test_types_of_an_untyped_class(handler: type[Any]) -> None:
    """A class that does not say its types is refused with how to say them."""
    with pytest.raises(TypeError, match=rf"{handler.__name__} does not name its types; expected Endpoint\["):
        types_of(handler)


def test_predict_is_required() -> None:
    """A class without ``predict`` cannot be made, so that it fails while loading."""

    class Nothing(BatchEndpoint[Ask, Answer]):
        pass

    with pytest.raises(TypeError, match="predict"):
        Nothing()  # type: ignore[abstract]  # what is tested


def test_setup_is_optional() -> None:
    """A model that loads nothing needs no ``setup``."""
    assert Single().setup("cpu") is None


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), "0.5", None, [1]])
def test_a_share_that_is_none(share: Any) -> None:
    """Progress is a number of 0 to 1; anything else is one clear error, also outside of a job."""
    with pytest.raises(ValueError, match=r"progress\(.*expected the share that is done, 0 to 1"):
        Single().progress(share)


@pytest.mark.parametrize(
    ("note", "index", "words"), [(3, None, "a text"), (None, -1, "a place"), (None, "0", "a place")]
)
def test_progress_of_something_else(note: Any, index: Any, words: str) -> None:
    """A note is a text, an index a place in the batch."""
    with pytest.raises(ValueError, match=words):
        Many().progress(0.5, note, index=index)


def test_progress_outside_of_a_job() -> None:
    """It does nothing, so that a model runs anywhere."""
    share: Any = np.float32(0.5)
    Single().progress(share, "half")
    Many().progress(1, index=3)
