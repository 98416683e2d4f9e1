"""What the owner set in service.toml becomes the answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from litgen_generator.answers.problems import problems
from litgen_generator.change.folding import ENDPOINT, SERVICE, fold, rebased
from litgen_generator.change.toml_edit import set_values
from litgen_generator.change.toml_merge import merge
from litgen_generator.change.toml_text import lines_of, loads
from litgen_generator.errors import NotToml
from tests.unit.generator.change.documents import rendered

ANSWERS: dict[str, Any] = {
    "service_name": "demo-svc",
    "drain_timeout_s": 30.0,
    "endpoints": [
        {"name": "embed"},
        {"name": "gen", "kind": "stream"},
        {"name": "raw", "kind": "single", "output": "bytes"},
    ],
}
BASE = rendered(**ANSWERS)
WAITING = {**ANSWERS, "endpoints": [{"name": "embed", "max_wait_s": 0.005}]}


def folded_of(values: Mapping[str, Any], answers: Mapping[str, Any] = ANSWERS) -> Any:
    """What folding makes of a service.toml with some values set by hand."""
    base = rendered(**answers)
    return fold(answers, base, set_values(base, values))


def test_nothing_set() -> None:
    """A service.toml as it was rendered changes nothing, nor does one that only looks different."""
    for ours in (BASE, BASE.replace("\n", "\r\n"), BASE.replace("30.0", "3e1"), f"\ufeff{BASE}# own"):
        assert fold(ANSWERS, BASE, ours) == (ANSWERS, [], {}, [], [])


@pytest.mark.parametrize(
    ("endpoint", "key", "answer", "value"),
    [
        (None, "shutdown.drain_timeout_s", "drain_timeout_s", 120),
        (None, "shutdown.api", "shutdown_api", True),
        (0, "path", "path", "/v1/embed"),
        (0, "timeout_s", "timeout_s", False),
        (0, "timeout_s", "timeout_s", 60),
        (2, "response_type", "response_type", "image/png"),
        (0, "workers.devices", "devices", "cuda:0,2"),
        (1, "workers.per_device", "workers_per_device", 2),
        (0, "workers.gpu_memory_fraction", "gpu_memory_fraction", 0.5),
        (0, "batching.max_size", "max_batch_size", 64),
        (0, "batching.max_wait_s", "max_wait_s", 0),
        (1, "streaming.max_streams", "max_streams", 4),
        (0, "queue.max_size", "queue_max_size", 16),
        (0, "jobs", "jobs", True),
    ],
)
def test_each_answer_follows(endpoint: int | None, key: str, answer: str, value: Any) -> None:
    """Every answer that stands in service.toml follows it, and a line says so."""
    path = key if endpoint is None else f"endpoints.{ANSWERS['endpoints'][endpoint]['name']}.{key}"
    folded = folded_of({path: value})
    given = folded.answers if endpoint is None else folded.answers["endpoints"][endpoint]
    assert given[answer] is value or given[answer] == value
    assert folded.values == {path: value}
    assert len(folded.notes) == 1
    assert folded.notes[0].startswith(f"{path} is ")
    assert folded.notes[0].endswith(" in service.toml")
    assert problems(folded.answers) == []
    assert answer in (SERVICE if endpoint is None else ENDPOINT)
    assert ANSWERS["drain_timeout_s"] == 30.0, "the given answers are left as they are"


@pytest.mark.parametrize("source", ["env:API_KEYS", "env:OTHERS", "file:/run/secrets/keys"])
def test_keys_set_by_hand(source: str) -> None:
    """Wherever the owner keeps keys, the answer is that there are some, and the owner's place stays theirs."""
    folded = folded_of({"auth.keys": source})
    assert folded.answers == {**ANSWERS, "api_keys": True}
    assert folded.notes == [f'auth.keys is "{source}" in service.toml']
    theirs = rendered(**folded.answers)
    assert loads(lines_of(rebased(BASE, theirs, folded.values))) == loads(lines_of(theirs))
    assert folded_of({"auth.keys": source}, folded.answers) == (folded.answers, [], {}, [], [])


def test_keys_taken_away_by_hand() -> None:
    """No keys, or false in their place, is the answer no; a source that is none is refused."""
    asked = {**ANSWERS, "api_keys": True}
    for value in (None, False):
        folded = folded_of({"auth.keys": value}, asked)
        assert folded.answers == {**ANSWERS, "api_keys": False}
        assert folded.values == {"auth.keys": None}
    assert folded_of({"auth.keys": False}) == (ANSWERS, [], {}, [], [])
    assert folded_of({"auth.keys": 5}).answers == ANSWERS


def test_jobs_and_webhooks_taken_away_by_hand() -> None:
    """Without the key, or with false in its place, the answer is no."""
    asked = {**ANSWERS, "endpoints": [{"name": "embed", "jobs": True}], "webhooks": True}
    for value in (None, False):
        folded = folded_of({"endpoints.embed.jobs": value, "webhooks.secrets": value}, asked)
        assert folded.answers == {**ANSWERS, "endpoints": [{"name": "embed", "jobs": False}], "webhooks": False}
    assert folded_of({"webhooks.secrets": "file:secrets"}, asked) == (asked, [], {}, [], [])


@pytest.mark.parametrize("asked", [{}, {"shutdown_api": True}])
def test_what_is_written_of_jobs_before_there_are_any_stays(asked: dict[str, Any]) -> None:
    """Tables that the template does not have yet are the owner's: they meet no conflict now nor when it has them."""
    values = {"jobs.keep_s": 60.0, "webhooks.secrets": "file:secrets", "webhooks.allow_hosts": ["a.example"]}
    for more in ({}, {"endpoints.embed.jobs": True}):
        ours = set_values(BASE, values | more)
        folded = fold(ANSWERS, BASE, ours)
        theirs = rendered(**folded.answers | asked)
        merged = merge(rebased(BASE, theirs, folded.values, ours), ours, theirs, "new")
        assert merged.conflicts == ()
        found = loads(lines_of(merged.text))
        assert {**found["jobs"], "keep_s": 60.0} == found["jobs"]
        assert {**found["webhooks"], "secrets": "file:secrets", "allow_hosts": ["a.example"]} == found["webhooks"]
        assert ("store" in found["jobs"]) == bool(more)


def test_a_key_removed_by_hand() -> None:
    """An answer that may be null becomes null; another stays, since nothing is said by the key's absence."""
    folded = folded_of({"endpoints.embed.path": None, "endpoints.embed.timeout_s": None})
    assert folded.answers["endpoints"][0] == {"name": "embed", "path": None}
    assert folded.values == {"endpoints.embed.path": None}
    assert folded.notes == ["endpoints.embed.path is no longer in service.toml"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shutdown.drain_timeout_s", "soon"),
        ("shutdown.drain_timeout_s", {"a": 1}),
        ("shutdown.api", 1),
        ("endpoints.embed.timeout_s", True),
        ("endpoints.embed.timeout_s", -2),
        ("endpoints.embed.timeout_s", 0.000001),
        ("endpoints.embed.path", "/health"),
        ("endpoints.embed.path", "/gen"),
        ("endpoints.embed.response_type", "image/png"),
        ("endpoints.embed.workers.devices", ["cuda:0"]),
        ("endpoints.embed.queue.max_size", 2.5),
        ("endpoints.gen.batching.max_size", 3),
        ("endpoints.embed.batching.max_size", 10**30),
        ("endpoints.embed.batching.max_wait_s", float("inf")),
    ],
)
def test_a_value_that_no_answer_can_be(key: str, value: Any) -> None:
    """It is not folded; the note says why, and all else is."""
    folded = folded_of({key: value, "endpoints.raw.queue.max_size": 5})
    assert folded.values == {"endpoints.raw.queue.max_size": 5}
    assert folded.answers["endpoints"][2].pop("queue_max_size") == 5
    assert folded.answers == ANSWERS
    assert [" is refused" in note for note in folded.notes] == [True, False]
    assert folded.notes[0].startswith(f"{key} is ")
    assert "expected" in folded.notes[0]


def test_two_values_good_only_together() -> None:
    """A wait and a timeout that fit each other, though neither fits the other's old value, are both folded."""
    folded = folded_of({"endpoints.embed.timeout_s": 0.004, "endpoints.embed.batching.max_wait_s": 0.001}, WAITING)
    assert folded.answers["endpoints"][0] == {"name": "embed", "timeout_s": 0.004, "max_wait_s": 0.001}


def test_a_timeout_too_short_for_the_wait() -> None:
    """The edit that brought a problem about another key is the one given back."""
    folded = folded_of({"endpoints.embed.timeout_s": 0.004}, WAITING)
    assert folded.answers == WAITING
    assert "max_wait_s" in folded.notes[0]


def test_paths_exchanged() -> None:
    """Two endpoints may exchange their paths."""
    folded = folded_of({"endpoints.embed.path": "/gen", "endpoints.gen.path": "/embed"})
    assert [each.get("path") for each in folded.answers["endpoints"]] == ["/gen", "/embed", None]


@pytest.mark.parametrize(
    ("table", "answer"),
    [
        ("", {"kind": "single"}),
        ('request = "builtins:bytes"\nresponse = "builtins:bytes"\n', {"input": "bytes", "output": "bytes"}),
        ('request = "litgen_runtime:Upload"\nresponse = "x:Y"\n', {"input": "upload"}),
        ("batching.max_size = 3\n", {"kind": "batch", "max_batch_size": 3}),
        ("streaming = {max_streams = 3}\n", {"kind": "stream", "max_streams": 3}),
        ('workers.devices = "cpu"\npath = "/x"\ntimeout_s = -1\n', {"devices": "cpu", "path": "/x", "timeout_s": -1}),
        ("[endpoints.own.batching]\n[endpoints.own.queue]\nmax_size = 4\n", {"kind": "batch", "queue_max_size": 4}),
    ],
)
def test_an_endpoint_is_adopted(table: str, answer: dict[str, Any]) -> None:
    """An endpoint that the owner wrote into service.toml becomes an answer of its kind."""
    folded = fold(ANSWERS, BASE, f"{BASE}\n[endpoints.own]\n{table}")
    assert folded.adopted == ["own"]
    assert folded.answers["endpoints"][:3] == ANSWERS["endpoints"]
    own = folded.answers["endpoints"][3]
    assert own | answer | {"name": "own", "framework": "python"} == own
    assert problems(folded.answers) == []
    assert len(folded.notes) == 1
    assert "endpoints.own" in folded.notes[0]


@pytest.mark.parametrize(
    ("name", "table", "why"),
    [
        ("class", "", 'name is "class"'),
        ('"a b"', "", 'name is "a b"'),
        ("own", 'path = "/embed"\n', "a path that no other endpoint has"),
        ("own", "timeout_s = 'x'\n", "timeout_s is"),
        ("own", 'streaming = {}\nresponse = "builtins:bytes"\n', "output is"),
        ("own", "batching = {}\nstreaming = {max_streams = 2}\n", "max_streams is"),
    ],
)
def test_an_endpoint_that_no_answer_can_be(name: str, table: str, why: str) -> None:
    """It is left to its owner, and the note says why."""
    folded = fold(ANSWERS, BASE, f"{BASE}\n[endpoints.{name}]\n{table}")
    assert folded.adopted == []
    assert folded.answers == ANSWERS
    assert len(folded.notes) == 1
    assert why in folded.notes[0]
    assert f"endpoints.{name}" in folded.notes[0]


def test_an_endpoint_removed_by_hand() -> None:
    """It stays in the answers, none of its values is taken, and the note tells the command that removes the rest."""
    folded = folded_of({"endpoints.gen": None, "endpoints.raw.path": "/gen2"})
    assert folded.orphans == ["gen"]
    assert folded.values == {"endpoints.raw.path": "/gen2"}
    assert folded.answers["endpoints"][1] == ANSWERS["endpoints"][1]
    assert "litgen remove-endpoint gen" in folded.notes[0]


def test_answers_that_are_bad_already() -> None:
    """Answers which a newer model refuses do not keep others from being folded."""
    answers = {**ANSWERS, "ci": "none-such"}
    folded = fold(answers, BASE, set_values(BASE, {"shutdown.drain_timeout_s": 120}))
    assert folded.answers["drain_timeout_s"] == 120


def test_no_toml() -> None:
    """A service.toml that cannot be read is refused."""
    with pytest.raises(NotToml):
        fold(ANSWERS, BASE, "a = \n")


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ({"shutdown.drain_timeout_s": 120}, {}),
        ({"shutdown.drain_timeout_s": 120, "endpoints.embed.timeout_s": -1}, {"shutdown_api": True}),
        ({"endpoints.embed.workers.gpu_memory_fraction": 0.5}, {}),
        ({"endpoints.embed.path": None, "endpoints.embed.batching.max_size": None}, {}),
        ({"endpoints.raw.response_type": "image/png", "endpoints.gen.queue.max_size": 3}, {"shutdown_api": True}),
    ],
)
def test_a_choice_is_no_change_of_the_templates(values: dict[str, Any], asked: dict[str, Any]) -> None:
    """The owner's lines stay as they are written, whatever the template makes of the folded answers."""
    ours = set_values(BASE, values) + "# own\n"
    folded = fold(ANSWERS, BASE, ours)
    theirs = rendered(**folded.answers | asked)
    merged = merge(rebased(BASE, theirs, folded.values), ours, theirs, "new")
    assert merged.conflicts == ()
    assert merged.text == (ours.replace("api = false", "api = true ") if asked else ours)


def test_a_choice_asked_otherwise_is_no_conflict() -> None:
    """What the owner set by hand and then asks litgen to set anew is changed."""
    ours = set_values(BASE, {"shutdown.drain_timeout_s": 120})
    folded = fold(ANSWERS, BASE, ours)
    theirs = rendered(**folded.answers | {"drain_timeout_s": 60})
    assert merge(rebased(BASE, theirs, folded.values), ours, theirs, "new") == (theirs, ())


def test_a_run_limit_that_is_automatic() -> None:
    """The runtime's word for "not given" is no answer, and nothing to speak of."""
    folded = folded_of({"endpoints.embed.run_limit_s": "auto"})
    assert (folded.answers, folded.notes) == (ANSWERS, [])


@pytest.mark.parametrize(("value", "answer"), [(5, 5), (5, 5.0), (-1, False), (False, -1)])
def test_what_is_an_answer_already_is_not_said_again(value: Any, answer: Any) -> None:
    """However it is spelled in service.toml; it stays spelled so."""
    endpoints = [{**each, "timeout_s": answer} if each["name"] == "embed" else each for each in ANSWERS["endpoints"]]
    answers = {**ANSWERS, "endpoints": endpoints}
    base = rendered(**answers)
    folded = fold(answers, base, set_values(base, {"endpoints.embed.timeout_s": value}))
    assert folded.notes == []
