"""What models return and raise: strict JSON or a clean 500, and the worker lives (docs/behavior.md, 2)."""

import concurrent.futures
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.services import Running, act, assert_problem, config, endpoint, serving

pytestmark = pytest.mark.xdist_group("results")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service for all of these; its workers are the same in the end."""
    endpoints = {
        "act": act(),
        "detailed": endpoint("actions:ActDetailed", "/detailed"),
        "later": endpoint("basic:Later", "/later", "Number", "Number"),
        "batch": endpoint("basic:Batch", "/batch", "Number", "Number", batching={"max_size": 8, "max_wait_s": 0.5}),
        "alone": endpoint("basic:Batch", "/alone", "Number", "Number"),
    }
    with serving(config(tmp_path_factory.mktemp("results"), endpoints)) as running:
        before = running.worker_pids()
        yield running
        assert running.worker_pids() == before
        assert "inside the runtime" not in running.log()


def strict(text: bytes) -> Any:
    """Parse JSON as its standard has it: no NaN, no lone surrogates, UTF-8."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    document = json.loads(text.decode("utf-8"), parse_constant=refuse)
    json.dumps(document, ensure_ascii=False).encode("utf-8")
    return document


@pytest.mark.parametrize(
    ("action", "value"),
    [
        ("numpy-scalar", 1.5),
        ("numpy-int", 7),
        ("numpy-bool", True),
        ("numpy-array", [[0, 1, 2], [3, 4, 5]]),
        ("bytes", "plain"),
        ("null-text", "null NaN Infinity"),
        ("set", [1, 2]),
    ],
)
def test_values_that_json_can_say(service: Running, action: str, value: object) -> None:
    """NumPy's scalars and arrays, bytes that are text, and sets become plain JSON."""
    answer = service.post("/act", {"do": action})
    assert answer.status_code == 200
    assert strict(answer.content)["value"] == value


@pytest.mark.parametrize(
    "action",
    [
        "nan",
        "inf",
        "nan-key",
        "numpy-nan",
        "numpy-nan-scalar",
        "numpy-nan-inside",
        "bytes-invalid",
        "surrogate",
        "surrogate-key",
        "object",
        "lambda",
        "cycle",
    ],
)
def test_values_that_json_cannot_say(service: Running, action: str) -> None:
    """NaN and infinity, also inside arrays, and other things without JSON are 500 invalid-result."""
    assert_problem(service.post("/act", {"do": action}), 500, "invalid-result")


@pytest.mark.parametrize("number", [50, 100_000])
def test_deep_results(service: Running, number: int) -> None:
    """A result nested too deeply is strict JSON or a clean 500."""
    answer = service.post("/act", {"do": "deep", "number": number})
    if answer.status_code != 200:
        assert_problem(answer, 500, "invalid-result")
    else:
        assert number == 50


def test_a_huge_integer(service: Running) -> None:
    """An integer of 5000 digits is strict JSON or a clean 500."""
    answer = service.post("/act", {"do": "huge-int"})
    if answer.status_code == 200:
        assert re.search(rb'"value":10{5000}[,}]', answer.content)
    else:
        assert_problem(answer, 500, "invalid-result")


@pytest.mark.parametrize("number", [100_000, 20_000_000])
def test_large_results(service: Running, number: int) -> None:
    """A large answer arrives whole."""
    assert service.post("/act", {"do": "large", "number": number}).json()["value"] == "x" * number


@pytest.mark.parametrize("kind", ["dict", "numpy-fields", "numpy-in-field", "coroutine"])
def test_results_that_fit_the_model(service: Running, kind: str) -> None:
    """A dict or NumPy values in the fields are taken for the response model, and awaited where needed."""
    answer = service.post("/detailed", {"do": kind})
    assert answer.status_code == 200, answer.text
    assert strict(answer.content)["pid"] in service.worker_pids()


@pytest.mark.parametrize(
    "kind",
    [
        "none",
        "missing",
        "wrong-type",
        "text",
        "nan-field",
        "inf-field",
        "unchecked",
        "surrogate-field",
        "exception-class",
        "generator",
    ],
)
def test_results_that_do_not_fit_the_model(service: Running, kind: str) -> None:
    """Anything that is not the response model is 500 invalid-result; the log says what it was."""
    answer = service.post("/detailed", {"do": kind}, headers={"X-Request-ID": f"result-{kind}"})
    assert_problem(answer, 500, "invalid-result")
    assert f"request result-{kind}: predict returned" in service.log()


def test_an_exception_returned_instead_of_raised(service: Running) -> None:
    """An exception as a single result fails the request like a raised one."""
    answer = service.post("/detailed", {"do": "exception"})
    assert_problem(answer, 500, "predict-failed")
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    "action",
    [
        "raise",
        "unpicklable",
        "unspeakable",
        "surrogate-error",
        "system-exit",
        "keyboard",
        "generator-exit",
        "recursion",
        "memory",
        "bad-http-error",
        "http-error-injection",
        "http-error-framing",
    ],
)
def test_predict_raising(service: Running, action: str) -> None:
    """Whatever predict raises is 500 without its words; the log has them under the request's id."""
    before = service.post("/act", {"do": "pid"}).json()["pid"]
    answer = service.post("/act", {"do": action}, headers={"X-Request-ID": f"raised-{action}"})
    assert_problem(answer, 500, "predict-failed")
    assert "secret" not in answer.text
    assert "actions.py" not in answer.text
    assert f"request raised-{action}: Traceback" in service.log()
    assert service.post("/act", {"do": "pid"}).json()["pid"] == before


def test_the_log_shows_the_owners_lines(service: Running) -> None:
    """The logged traceback names the owner's file and the error, and none of the runtime's files."""
    service.post("/act", {"do": "raise"}, headers={"X-Request-ID": "mine"})
    entry = service.log().partition("request mine: ")[2].partition("ERROR")[0]
    assert "services/actions.py" in entry
    assert "KeyError: 'a secret word'" in entry
    assert "litgen_runtime/worker" not in entry


def test_http_error(service: Running) -> None:
    """HTTPError answers its status, detail and headers."""
    answer = service.post("/act", {"do": "http-error", "number": 429, "text": "slow down, na\u00efve client"})
    problem = assert_problem(answer, 429, "error")
    assert problem["detail"] == "slow down, na\u00efve client"
    assert answer.headers["retry-after"] == "3"
    assert answer.headers["x-owner"] == "me"


@pytest.mark.parametrize("status", [400, 418, 451, 499, 500, 503, 599])
def test_http_error_statuses(service: Running, status: int) -> None:
    """Every status from 400 to 599 can be answered, those without a name too."""
    assert_problem(service.post("/act", {"do": "http-error", "number": status}), status, "error")


def test_http_error_with_odd_words(service: Running) -> None:
    """A detail that UTF-8 cannot say still makes a strict answer."""
    answer = service.post("/act", {"do": "http-error-surrogate"})
    assert_problem(answer, 400, "error")
    strict(answer.content)


@pytest.mark.parametrize("number", [-1, -130])
def test_an_async_predict_lives_on(service: Running, number: int) -> None:
    """SystemExit in an async predict fails its request only."""
    assert_problem(service.post("/later", {"x": number}), 500, "predict-failed")
    assert service.post("/later", {"x": 3}).json() == {"x": 3}


def batch(service: Running, path: str, numbers: list[float]) -> list[Any]:
    """Send requests that run in one batch; the first makes the worker busy meanwhile."""
    with concurrent.futures.ThreadPoolExecutor(len(numbers)) as pool:
        return list(pool.map(lambda number: service.post(path, {"x": number}), numbers))


def test_one_bad_item_in_a_batch(service: Running) -> None:
    """An exception instance in an item's place fails that item only, with its status and headers."""
    answers = batch(service, "/batch", [1, 2, 13, 4])
    assert [answer.status_code for answer in answers] == [200, 200, 409, 200]
    assert [answer.json().get("x") for answer in answers] == [1, 2, None, 4]
    assert answers[2].headers["x-unlucky"] == "yes"
    assert_problem(answers[2], 409, "error")


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [
        (-1, 500, "predict-failed"),
        (-2, 500, "invalid-result"),
        (-3, 500, "invalid-result"),
        (-4, 429, "error"),
        (-5, 500, "invalid-result"),
    ],
)
@pytest.mark.parametrize("path", ["/batch", "/alone"])
def test_a_bad_batch(service: Running, path: str, number: int, status: int, code: str) -> None:
    """A batch that raises, or returns too many, too few or no results, fails cleanly; the next one is fine."""
    answer = service.post(path, {"x": number})
    assert_problem(answer, status, code)
    assert "secret" not in answer.text
    assert service.post(path, {"x": 5}).json() == {"x": 5}


def test_wrong_length_is_explained(service: Running) -> None:
    """The log says how many results came for how many requests."""
    service.post("/alone", {"x": -2}, headers={"X-Request-ID": "too-many"})
    assert "request too-many: predict returned 2 results for a batch of 1" in service.log()
