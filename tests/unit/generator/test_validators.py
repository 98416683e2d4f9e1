"""Copier's validators say what the model says."""

from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from litgen_generator.answers import validators
from litgen_generator.answers.model import Answers, Endpoint
from litgen_generator.answers.problems import problems
from litgen_generator.answers.rules import environment

TEMPLATES = {
    key: environment().from_string(validators.for_endpoints() if key == "endpoints" else validators.for_answer(key))
    for key in Answers.model_fields
}

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 5000),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        [
            *("embed", "a_b", "class", "on", "/a", "/health", "/a/../b", "torch", "cpu", "cuda:0,0"),
            *("batch", "single", "stream", "json", "bytes", "upload", "image/png"),
        ]
    ),
)
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)
ENDPOINTS = st.dictionaries(st.sampled_from([*Endpoint.model_fields, "bath"]), VALUES, max_size=4)
LIKELY_ENDPOINTS = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b", "health"])},
    optional={
        "path": st.sampled_from([None, "/a", "/b/c", "/livez"]),
        "kind": st.sampled_from(["batch", "single", "stream"]),
        "input": st.sampled_from(["json", "bytes", "upload"]),
        "output": st.sampled_from(["json", "bytes"]),
        "response_type": st.sampled_from([None, "image/png"]),
        "max_streams": st.sampled_from([None, 1, 64]),
        "devices": st.sampled_from(["auto", "cpu", "mps", "cuda:0,1"]),
        "workers_per_device": st.integers(1, 3),
        "gpu_memory_fraction": st.sampled_from([None, 0.5, 1, 1 / 3]),
        "max_batch_size": st.sampled_from([None, 1, 64]),
        "max_wait_s": st.sampled_from([None, 0, 0.5, 2]),
        "timeout_s": st.sampled_from([False, -1, 0.001, 1, 2.0]),
    },
)


def by_model(key: str, value: Any) -> list[str]:
    """What litgen says."""
    answers = {"service_name": "svc", key: value}
    return sorted(told.message for told in problems(answers) if told.at.startswith(key))


def by_validator(key: str, value: Any) -> list[str]:
    """What copier says."""
    said = TEMPLATES[key].render({key: value}).strip()
    return sorted(said.split("\n")) if said else []


@given(st.sampled_from([key for key in Answers.model_fields if key != "endpoints"]), VALUES)
def test_an_answer_about_the_service_is_judged_alike(key: str, value: Any) -> None:
    """Both doors refuse the same values with the same words."""
    assert by_validator(key, value) == by_model(key, value)


@given(VALUES | st.lists(ENDPOINTS | VALUES, max_size=3))
def test_any_list_of_endpoints_is_judged_alike(endpoints: Any) -> None:
    """Both doors agree about values of any kind in any place."""
    assert by_validator("endpoints", endpoints) == by_model("endpoints", endpoints)


@given(st.lists(LIKELY_ENDPOINTS, min_size=1, max_size=3))
def test_keys_that_do_not_go_together_are_judged_alike(endpoints: Any) -> None:
    """Both doors agree about endpoints of which every key is good by itself."""
    assert by_validator("endpoints", endpoints) == by_model("endpoints", endpoints)
