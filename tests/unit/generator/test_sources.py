"""Reading answers from flags."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from litgen_generator.answers.model import Answers, Endpoint
from litgen_generator.answers.sources import endpoint as endpoint_from_flag
from litgen_generator.answers.sources import setting
from litgen_generator.answers.sources import value as value_of
from litgen_generator.errors import UsageError

TEXT = st.text(st.characters(exclude_characters="=,", exclude_categories=["Cs"]), min_size=1)
VALUES = st.lists(TEXT, min_size=1, max_size=3).map(",".join)


@given(st.dictionaries(st.sampled_from(["name", "path", "kind", "framework", "devices"]), VALUES, min_size=1))
def test_texts_come_back_as_they_were_given(endpoint: dict[str, str]) -> None:
    """A comma ends a value only where another key follows."""
    assert endpoint_from_flag(",".join(f"{key}={value}" for key, value in endpoint.items())) == endpoint


@given(st.integers() | st.booleans() | st.floats(allow_nan=False))
def test_numbers_come_back_as_they_were_given(value: float) -> None:
    """Numbers and switches keep their type."""
    text = str(value).lower()
    (found,) = endpoint_from_flag(f"queue_max_size={text}").values()
    assert found == value
    assert type(found) is type(value)


def test_an_endpoint_as_the_documentation_writes_it() -> None:
    """The example of the README is read as it is meant."""
    assert endpoint_from_flag("name=embed,kind=batch,path=/embed,devices=cuda:0,2,max_batch_size=32") == {
        "name": "embed",
        "kind": "batch",
        "path": "/embed",
        "devices": "cuda:0,2",
        "max_batch_size": 32,
    }


@pytest.mark.parametrize(
    ("text", "value"), [("none", False), ("false", False), ("-1", -1), ("1e-3", 0.001), ("soon", "soon"), ("", "")]
)
def test_a_timeout_may_be_none(text: str, value: Any) -> None:
    """What a person types for no timeout is no timeout; what is no number is left to the rules."""
    assert endpoint_from_flag(f"timeout_s={text}") == {"timeout_s": value}


@pytest.mark.parametrize(("key", "value"), [("path", None), ("response_type", None), ("devices", "none")])
def test_none_is_no_text_where_a_text_may_be_missing(key: str, value: Any) -> None:
    """`litgen set embed.path=none` takes the path back to its default."""
    assert endpoint_from_flag(f"{key}=none") == {key: value}


def test_an_unknown_key_is_left_to_the_rules() -> None:
    """It is they who know the keys, and say so."""
    assert endpoint_from_flag("name=a,bath=3") == {"name": "a", "bath": 3}


@pytest.mark.parametrize("text", ["", "embed", "=embed", "name=a,name=b", ",name=a", "name=a,=b"])
def test_what_is_no_pair_is_refused(text: str) -> None:
    """The sentence shows the flag, the part that is wrong, and how to write it."""
    with pytest.raises(UsageError, match=r"--endpoint is .*Write it as --endpoint name=embed"):
        endpoint_from_flag(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("embed.devices=none", None), ("embed.kind=NULL", None), ("ci=none", "none"), ("service_name=none", "none")],
)
def test_none_takes_an_answer_back_that_it_could_not_be(text: str, value: Any) -> None:
    """`litgen set embed.devices=none` takes the devices back to their default; `ci=none` is an answer."""
    assert setting(text).value == value


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [("ci", "none", "none"), ("description", "3", "3"), ("drain_timeout_s", "3", 3), ("drain_timeout_s", "x", "x")],
)
def test_a_flag_is_read_by_its_question(key: str, text: str, value: Any) -> None:
    """Where a text is asked for, nothing is read as a number."""
    assert value_of(Answers, key, text) == value


def test_every_text_of_an_endpoint_is_known() -> None:
    """The keys of which the text is kept are those of the model that hold text."""
    texts = {key for key in Endpoint.model_fields if endpoint_from_flag(f"{key}=1")[key] == "1"}
    assert texts == {"name", "path", "kind", "input", "output", "response_type", "framework", "devices"}
