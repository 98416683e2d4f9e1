"""The questions that copier reads."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from litgen_generator.answers import questions
from litgen_generator.answers.rules import environment

ROOT = Path(__file__).parents[3]


def computed(key: str, **answers: Any) -> Any:
    """The value of a computed question."""
    names = dict(answers)
    for name, (_, jinja) in questions.COMPUTED.items():
        text = environment().from_string(jinja).render(**names)
        names[name] = text if questions.COMPUTED[name][0] == "str" else yaml.safe_load(text)
        if name == key:
            return names[name]
    raise KeyError(key)


def resolved(**endpoint: Any) -> dict[str, Any]:
    """An endpoint as the template meets it."""
    found: list[dict[str, Any]] = computed(
        "resolved_endpoints", service_name="svc", endpoints=[{"name": "embed", **endpoint}]
    )
    return found[0]


def test_the_written_questions_are_current() -> None:
    """template/questions.yml is what the model gives: after a change, `make questions`."""
    assert (ROOT / questions.FILE).read_text(encoding="utf-8") == questions.document()


def test_the_written_questions_mean_what_was_written() -> None:
    """The YAML reads back as the questions."""
    assert yaml.safe_load(questions.document()) == questions.questions()


def test_an_endpoint_is_filled_in() -> None:
    """Every key that a template may name is there for an endpoint of which only the name was given."""
    assert resolved() == {
        "name": "embed",
        "path": "/embed",
        "kind": "batch",
        "input": "json",
        "output": "json",
        "response_type": None,
        "framework": "torch",
        "devices": "auto",
        "workers_per_device": 1,
        "gpu_memory_fraction": None,
        "max_batch_size": 32,
        "max_wait_s": 0.002,
        "max_streams": None,
        "timeout_s": 30.0,
        "run_limit_s": None,
        "queue_max_size": 1024,
        "jobs": False,
        "class_name": "Embed",
        "has_schemas": True,
    }


def test_a_single_endpoint_has_no_batching() -> None:
    """The batching keys of an unbatched endpoint are null."""
    endpoint = resolved(kind="single")
    assert endpoint["max_batch_size"] is endpoint["max_wait_s"] is None


@pytest.mark.parametrize(("given", "max_streams"), [({}, 32), ({"max_streams": 1}, 1)])
def test_a_stream_has_its_own_keys(given: dict[str, int], max_streams: int) -> None:
    """A stream is told how many of its like a worker advances, and has no batching."""
    endpoint = resolved(kind="stream", **given)
    assert endpoint["max_streams"] == max_streams
    assert endpoint["max_batch_size"] is endpoint["max_wait_s"] is None


@pytest.mark.parametrize(("given", "media_type"), [({}, "application/octet-stream"), ({"response_type": "a/b"}, "a/b")])
def test_an_answer_in_bytes_has_a_media_type(given: dict[str, str], media_type: str) -> None:
    """Clients are told what the bytes are; where neither side is JSON, there is no schema."""
    endpoint = resolved(output="bytes", input="upload", **given)
    assert endpoint["response_type"] == media_type
    assert endpoint["has_schemas"] is False


@pytest.mark.parametrize(("given", "expected"), [(False, False), (-1, False), (-1.0, False), (5, 5.0)])
def test_a_timeout_is_a_number_or_false(given: Any, expected: Any) -> None:
    """The two spellings of no timeout become one."""
    timeout_s = resolved(timeout_s=given)["timeout_s"]
    assert timeout_s == expected
    assert type(timeout_s) is type(expected)


def test_no_wait_at_all_is_kept() -> None:
    """A wait of 0 is an answer, not a gap to fill."""
    assert resolved(max_wait_s=0)["max_wait_s"] == 0


def test_class_names() -> None:
    """A class is called as its endpoint, in capitals."""
    assert resolved(name="embed_text_2")["class_name"] == "EmbedText2"


@pytest.mark.parametrize(("drain_timeout_s", "grace_s"), [(30, 45), (0, 15), (1.5, 17), (3600.0, 3615)])
def test_a_pod_gets_time_to_drain(drain_timeout_s: float, grace_s: int) -> None:
    """The grace period covers delay, drain, kill grace and 5 seconds."""
    answers = {"service_name": "svc", "endpoints": [{"name": "a"}], "drain_timeout_s": drain_timeout_s}
    assert computed("termination_grace_s", **answers) == grace_s


def test_names_for_python_and_kubernetes() -> None:
    """A package may hold no hyphen, a Kubernetes object no underscore."""
    assert computed("package_name", service_name="my-own_svc") == "my_own_svc"
    assert computed("kubernetes_name", service_name="my-own_svc") == "my-own-svc"


@pytest.mark.parametrize(("framework", "expected"), [("python", False), ("torch", True)])
def test_torch_is_used_if_one_endpoint_uses_it(framework: str, expected: bool) -> None:
    """What only some endpoints need is installed for all."""
    endpoints = [{"name": "a", "framework": "python"}, {"name": "b", "framework": framework}]
    assert computed("uses_torch", service_name="svc", endpoints=endpoints) is expected


@pytest.mark.parametrize(
    ("jobs", "webhooks", "expected"),
    [(False, True, (False, False)), (True, False, (True, False)), (True, True, (True, True))],
)
def test_webhooks_tell_of_jobs(jobs: bool, webhooks: bool, expected: tuple[bool, bool]) -> None:
    """One endpoint that takes jobs is enough, and without one there is nothing to tell."""
    answers = {"service_name": "svc", "endpoints": [{"name": "a"}, {"name": "b", "jobs": jobs}], "webhooks": webhooks}
    assert (computed("takes_jobs", **answers), computed("sends_webhooks", **answers)) == expected
