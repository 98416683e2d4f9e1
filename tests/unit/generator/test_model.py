"""Which answers are good, and what is said about the others."""

import json
from typing import Any

import pytest

from litgen_generator.answers.model import Answers, is_moot
from litgen_generator.answers.problems import parsed, problems
from litgen_generator.errors import BadAnswersError


def told(**answers: Any) -> list[str]:
    """What is said about the answers."""
    return [item.message for item in problems({"service_name": "svc", **answers})]


def told_of_endpoint(**endpoint: Any) -> list[str]:
    """What is said about the one endpoint of a service."""
    return told(endpoints=[{"name": "embed", **endpoint}])


def test_a_name_alone_makes_a_service() -> None:
    """Every question but the service's name has a default."""
    answers = parsed({"service_name": "svc"})
    assert [endpoint.name for endpoint in answers.endpoints] == ["predict"]


def test_a_message_names_key_value_expectation_and_fix() -> None:
    """The house style of a message holds to the letter."""
    assert told_of_endpoint(path="/health") == [
        'endpoints[0].path is "/health"; expected a path that the service does not use itself. '
        'Choose another, such as "/predict".'
    ]


def test_every_problem_is_told_at_once() -> None:
    """One run tells all that is wrong, not the first thing only."""
    assert len(told(description="", drain_timeout_s=-1, ci="gitlab", colour="red")) == 4


def test_bad_answers_come_as_an_error_with_a_line_each() -> None:
    """What the command prints is the lines of the error."""
    with pytest.raises(BadAnswersError) as caught:
        parsed({"service_name": "torch", "ci": "gitlab"})
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("name", ["health", "metrics", "livez"])
def test_a_default_path_is_checked_too(name: str) -> None:
    """An endpoint called health would answer /health, which the service does itself."""
    assert told(endpoints=[{"name": name}])[0].startswith(f'endpoints[0].path is "/{name}"')


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/new", "/docs/oauth2-redirect", "/openapi.json"])
def test_everything_below_a_reserved_path_is_reserved(path: str) -> None:
    """A path below one of the service's own would hide it."""
    assert told_of_endpoint(path=path)


@pytest.mark.parametrize("path", ["/healthy", "/v1/jobsearch", "/v1/health", "/openapiXjson"])
def test_a_path_that_only_begins_like_a_reserved_one_is_free(path: str) -> None:
    """Reserved are whole segments, not letters."""
    assert not told_of_endpoint(path=path)


def test_a_default_path_can_clash_with_a_given_one() -> None:
    """Two endpoints may not answer one path, given or not."""
    assert told(endpoints=[{"name": "a"}, {"name": "b", "path": "/a"}]) == [
        'endpoints[1].path is "/a"; expected a path that no other endpoint has. Choose another.'
    ]


@pytest.mark.parametrize("timeout_s", [False, -1, -1.0, 0.006, 86400, 30])
def test_timeouts(timeout_s: Any) -> None:
    """A timeout is a positive number of seconds, false, or -1."""
    assert not told_of_endpoint(timeout_s=timeout_s)


def test_no_timeout_leaves_every_wait_allowed() -> None:
    """Only a timeout bounds the wait."""
    assert not told_of_endpoint(timeout_s=False, max_wait_s=60)
    assert told_of_endpoint(timeout_s=60, max_wait_s=60)


def test_the_default_wait_is_measured_against_a_short_timeout() -> None:
    """A timeout below the default wait is refused although the wait was not given."""
    assert told_of_endpoint(timeout_s=0.001)[0].startswith("endpoints[0].max_wait_s is 0.002;")


def test_workers_share_a_gpu() -> None:
    """The shares of all workers of a GPU fit into it, up to rounding."""
    assert not told_of_endpoint(gpu_memory_fraction=1 / 3, workers_per_device=3)
    assert told_of_endpoint(gpu_memory_fraction=0.34, workers_per_device=3)


@pytest.mark.parametrize("media_type", ["image/png", "application/vnd.api+json", "text/plain; charset=utf-8"])
def test_media_types(media_type: str) -> None:
    """An answer in bytes may have any media type."""
    assert not told_of_endpoint(output="bytes", response_type=media_type)


def test_a_stream_can_take_anything() -> None:
    """What goes in does not depend on how it is answered."""
    for given in ("json", "bytes", "upload"):
        assert not told_of_endpoint(kind="stream", input=given, max_streams=4)


def test_answers_keep_their_kind() -> None:
    """An integer number of seconds becomes a float; false stays false."""
    answers = parsed({"service_name": "svc", "drain_timeout_s": 5, "endpoints": [{"name": "a", "timeout_s": False}]})
    assert isinstance(answers.drain_timeout_s, float)
    assert answers.endpoints[0].timeout_s is False


def test_the_schema_says_what_json_schema_can_say() -> None:
    """An editor sees bounds, choices, help, and that no other key exists."""
    schema = Answers.model_json_schema()
    endpoint = schema["$defs"]["Endpoint"]
    assert endpoint["properties"]["workers_per_device"] | {"description": ""} == {
        "default": 1,
        "description": "",
        "maximum": 64,
        "minimum": 1,
        "title": "Workers Per Device",
        "type": "integer",
    }
    assert schema["properties"]["deployment"]["enum"] == ["kubernetes", "docker", "none"]
    assert schema["additionalProperties"] is endpoint["additionalProperties"] is False
    assert all("description" in item for item in endpoint["properties"].values())
    assert json.dumps(schema)


def test_jobs_are_answered_at_once() -> None:
    """A stream is sent while it is made; every other kind may be done later."""
    assert not told_of_endpoint(jobs=True, kind="single")
    assert told_of_endpoint(jobs=True, kind="stream")[0].startswith("endpoints[0].jobs is true; expected false")


@pytest.mark.parametrize(
    ("answers", "moot"),
    [({}, False), ({"endpoints": [{"name": "a"}]}, True), ({"endpoints": [{"name": "a"}, {"jobs": True}]}, False)],
)
def test_webhooks_without_jobs_are_moot(answers: dict[str, Any], moot: bool) -> None:
    """Nobody is asked about them; which is known once the endpoints are."""
    assert is_moot("webhooks", answers) == moot
    assert not is_moot("api_keys", answers)
