"""Streams of items (docs/behavior.md, 2.14)."""

import concurrent.futures
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import wire
from tests.services import Running, act, assert_problem, config, endpoint, eventually, serving

pytestmark = pytest.mark.xdist_group("streams")


def flow(path: str, handler: str = "flows:Flow", streaming: dict[str, Any] | None = None, **choices: Any) -> Any:
    """Return the table of an endpoint that streams."""
    return endpoint(handler, path, streaming={"max_streams": 8} if streaming is None else streaming, **choices)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Every kind of stream."""
    endpoints = {
        "flow": flow("/flow"),
        "short": flow("/short", timeout_s=1.0, kill_grace_s=0.5),
        "limited": flow("/limited", "flows:Async", timeout_s=False, run_limit_s=1.0),
        "single": flow("/single", streaming={"max_streams": 1}, timeout_s=1.0),
        "bad_item": flow("/bad-item", "flows:BadItem"),
        "waiting": flow("/waiting", "flows:Async", {"max_streams": 4, "keep_alive_s": 0.1}),
    }
    with serving(config(tmp_path_factory.mktemp("streams"), endpoints)) as running:
        yield running


def events(text: str) -> list[tuple[str, Any]]:
    """Return the (name, data) of server-sent events; comments are left out."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields.get("event", "message"), json.loads(fields["data"])))
    return found


def test_events(service: Running) -> None:
    """Items are server-sent events, one JSON document each, and the stream ends cleanly."""
    reply = service.post("/flow", {"do": "", "number": 3})
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert reply.headers["cache-control"] == "no-cache"
    assert [(name, data["value"]) for name, data in events(reply.text)] == [
        ("message", 0),
        ("message", 1),
        ("message", 2),
    ]


def test_lines(service: Running) -> None:
    """A client that asks for it gets one JSON document a line."""
    reply = service.post("/flow", {"do": "", "number": 3}, headers={"Accept": "application/x-ndjson"})
    assert reply.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["value"] for line in reply.text.splitlines()] == [0, 1, 2]


def test_an_empty_stream(service: Running) -> None:
    """No items are a stream too."""
    reply = service.post("/flow", {"do": "", "number": 0})
    assert (reply.status_code, reply.text) == (200, "")


@pytest.mark.parametrize("path", ["/flow", "/waiting"])
def test_items_come_as_they_are_made(service: Running, path: str) -> None:
    """The first item does not wait for the last one."""
    with httpx.stream("POST", service.url + path, json={"do": "", "number": 3, "seconds": 0.4}, timeout=20) as reply:
        arrivals = [time.monotonic() for line in reply.iter_lines() if line.startswith("data")]
    assert len(arrivals) == 3
    assert arrivals[-1] - arrivals[0] > 0.6


@pytest.mark.parametrize(
    ("do", "status", "code"),
    [("refuse", 418, "error"), ("fail-first", 500, "predict-failed"), ("no-generator", 500, "invalid-result")],
)
def test_a_failure_before_the_first_item_is_a_status(service: Running, do: str, status: int, code: str) -> None:
    """Nothing has been sent yet, so the answer can still say it."""
    reply = service.post("/flow", {"do": do, "number": 3})
    assert_problem(reply, status, code)
    assert reply.headers.get("retry-after") == ("7" if do == "refuse" else None)


@pytest.mark.parametrize(
    ("path", "do", "code"),
    [("/flow", "fail", "predict-failed"), ("/flow", "exit", "predict-failed"), ("/bad-item", "", "invalid-result")],
)
def test_a_later_failure_is_an_error_event(service: Running, path: str, do: str, code: str) -> None:
    """What came before arrives; then an event says what happened, and nothing of it is secret."""
    reply = service.post(path, {"do": do, "number": 3})
    (first, _), (last, problem) = events(reply.text)
    assert (reply.status_code, first, last) == (200, "message", "error")
    assert (problem["code"], problem["request_id"]) == (code, reply.headers["x-request-id"])
    assert "secret" not in reply.text
    service.wait_log(problem["request_id"])


def test_a_later_failure_as_a_line(service: Running) -> None:
    """As lines, the last one holds the problem."""
    reply = service.post("/flow", {"do": "fail", "number": 3}, headers={"Accept": "application/x-ndjson"})
    assert json.loads(reply.text.splitlines()[-1])["error"]["code"] == "predict-failed"


def test_a_worker_that_dies_mid_stream(service: Running) -> None:
    """Its streams end with an error event, and the replacement serves."""
    reply = service.post("/flow", {"do": "die", "number": 3})
    name, problem = events(reply.text)[-1]
    assert (name, problem["code"]) == ("error", "worker-died")
    assert eventually(lambda: service.post("/flow", {"do": "", "number": 1}).status_code == 200)


def test_the_client_leaves(service: Running, tmp_path: Path) -> None:
    """The generator is closed within about one item, and the worker is free."""
    mark = tmp_path / "closed"
    body = {"do": "", "number": 1000, "seconds": 0.1, "text": str(mark)}
    with httpx.stream("POST", service.url + "/single", json=body, timeout=20) as reply:
        assert next(line for line in reply.iter_lines() if line.startswith("data"))
        left = time.monotonic()
    assert eventually(mark.exists, 2)
    assert float(mark.read_text(encoding="utf-8").split()[1]) - left < 0.6
    assert service.post("/single", {"do": "", "number": 1}).status_code == 200


def test_the_client_of_an_async_stream_leaves(service: Running, tmp_path: Path) -> None:
    """An async generator is cancelled where it waits."""
    mark = tmp_path / "closed"
    body = {"do": "", "number": 2, "seconds": 60, "text": str(mark)}
    with wire.connected(service.port) as client:
        client.send(wire.post("/waiting", json.dumps(body).encode()))
        time.sleep(0.3)
    assert eventually(mark.exists, 2)


def test_queued_past_its_timeout_is_a_status(service: Running) -> None:
    """A stream that never began is 504, not an empty 200; one that did ends with an error event, punctually."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        slow = pool.submit(service.post, "/single", {"do": "", "number": 50, "seconds": 0.1})
        time.sleep(0.3)
        assert_problem(
            service.post("/single", {"do": "", "number": 1}, headers={"X-Request-Timeout": "0.4"}), 504, "timeout"
        )
        assert 0.65 <= time.monotonic() - began < 1.2
        name, problem = events(slow.result().text)[-1]
        assert (name, problem["code"]) == ("error", "timeout")
        assert 0.9 <= time.monotonic() - began < 1.6


def test_a_stream_that_hangs(service: Running) -> None:
    """Past ``run_limit_s`` and the grace its worker is killed and replaced."""
    reply = service.post("/short", {"do": "hang", "number": 3})
    assert events(reply.text)[-1][1]["code"] == "timeout"
    answer = []

    def served() -> bool:
        answer.append(service.post("/short", {"do": "", "number": 1}))
        return answer[-1].status_code == 200

    assert eventually(served)
    assert "run_limit_s" in service.log()


def test_a_run_limit_stops_one_stream_alone(service: Running) -> None:
    """Without a timeout too, what runs for too long is ended with an event, and its neighbours go on."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        late = pool.submit(service.post, "/limited", {"do": "", "number": 600, "seconds": 0.1})
        time.sleep(0.6)
        neighbour = service.post("/limited", {"do": "", "number": 6, "seconds": 0.1})
        assert [name for name, _ in events(neighbour.text)] == ["message"] * 6
        name, problem = events(late.result(timeout=10).text)[-1]
        assert (name, problem["code"]) == ("error", "run-too-long")


def arrivals(service: Running, path: str, body: dict[str, Any]) -> list[float]:
    """Return when the items of a stream came."""
    with httpx.stream("POST", service.url + path, json=body, timeout=20) as reply:
        return [time.monotonic() for line in reply.iter_lines() if line.startswith("data")]


def test_many_are_advanced_in_turn(service: Running) -> None:
    """One worker advances several generators, an item each, so that none waits for the end of another."""
    body = {"do": "", "number": 10, "seconds": 0.05}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        one, two = (pool.submit(arrivals, service, "/flow", body) for _ in range(2))
        assert max(one.result()[0], two.result()[0]) < min(one.result()[-1], two.result()[-1])


def test_async_ones_wait_together(service: Running) -> None:
    """Async generators wait at the same time, as many as ``max_streams``; what comes beyond has its turn."""
    body = {"do": "", "number": 4, "seconds": 0.1}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        began = time.monotonic()
        streams = [pool.submit(arrivals, service, "/waiting", body) for _ in range(8)]
        assert [len(stream.result()) for stream in streams] == [4] * 8
        assert 0.8 <= time.monotonic() - began < 2.4  # alone, one after the other: 3.2 s


def test_silence_is_kept_alive(service: Running) -> None:
    """Once a stream has begun, comments come while nothing else does."""
    body = {"do": "", "number": 3, "seconds": 0.5}
    text = service.post("/waiting", body).text
    assert text.count(":\n\n") >= 4
    assert len(events(text)) == 3


def test_a_slow_client_holds_the_generator_up(tmp_path: Path) -> None:
    """Memory does not grow with what a client does not read; when it reads, nothing is missing."""
    with serving(config(tmp_path, {"flow": flow("/flow", timeout_s=False)})) as service:
        body = {"do": "large", "number": 5000}
        with httpx.stream("POST", service.url + "/flow", json=body, timeout=20) as reply:
            time.sleep(1.0)
            made = items_made(service)
            time.sleep(0.5)
            assert items_made(service) == made < 5000, "it went on without its client"
            text = "".join(reply.iter_text())
        assert [data["value"] for _, data in events(text)] == list(range(5000))


def items_made(service: Running) -> int:
    """Return how many items have been made so far."""
    for line in service.get("/metrics").text.splitlines():
        if line.startswith('litgen_stream_items_total{endpoint="flow"}'):
            return int(float(line.rpartition(" ")[2]))
    raise AssertionError("no such metric")


def test_drain_cuts_with_an_event(tmp_path: Path) -> None:
    """What the drain does not wait for is told so."""
    path = config(tmp_path, {"flow": flow("/flow", timeout_s=False)}, shutdown={"drain_timeout_s": 0.5})
    with serving(path) as service, concurrent.futures.ThreadPoolExecutor(1) as pool:
        reply = pool.submit(service.post, "/flow", {"do": "", "number": 100_000, "seconds": 0.05})
        time.sleep(0.5)
        assert service.process.stop() == 0
        assert events(reply.result().text)[-1][1]["code"] == "draining"


def test_documented(service: Running) -> None:
    """The OpenAPI document names both forms, and what each event holds."""
    document = service.get("/openapi.json").json()
    content = document["paths"]["/flow"]["post"]["responses"]["200"]["content"]
    assert set(content) == {"text/event-stream", "application/x-ndjson"}
    item, failure = content["text/event-stream"]["itemSchema"]["anyOf"]
    assert item["properties"]["data"]["contentSchema"] == {"$ref": "#/components/schemas/Answer"}
    assert failure["properties"]["event"] == {"const": "error"}


def test_one_of_each_in_one_service(tmp_path: Path) -> None:
    """A stream beside an endpoint that answers once."""
    with serving(config(tmp_path, {"flow": flow("/flow"), "act": act()})) as service:
        assert service.post("/act", {"do": "pid"}).status_code == 200
        assert len(events(service.post("/flow", {"do": "", "number": 2}).text)) == 2
