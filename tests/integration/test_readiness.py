"""Loading, and what the probes say of it (docs/behavior.md, 1)."""

import concurrent.futures
import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import wire
from tests.services import Running, act, assert_problem, config, endpoint, eventually, serving, square

pytestmark = pytest.mark.xdist_group("readiness")


def gated(handler: str, path: str, workers: int = 1) -> object:
    """Return an endpoint that loads when it gets a ticket."""
    return endpoint(f"loading:{handler}", path, "Number", "Number", workers={"per_device": workers})


def admit(folder: Path, kind: str) -> None:
    """Let one worker of a kind finish loading."""
    (folder / f"{kind}-{time.monotonic_ns()}").touch()


@pytest.fixture(scope="module")
def tickets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the loading service's workers look for leave to finish."""
    return tmp_path_factory.mktemp("tickets")


@pytest.fixture(scope="module")
def loading(tmp_path_factory: pytest.TempPathFactory, tickets: Path) -> Iterator[Running]:
    """A service of which /v1/predict has loaded and /v2/predict never will."""
    endpoints = {"one": gated("Gated", "/v1/predict"), "two": gated("GatedToo", "/v2/predict", 2)}
    path = config(tmp_path_factory.mktemp("loading"), endpoints)
    admit(tickets, "a")
    with serving(path, env={"LITGEN_TEST_TICKETS": str(tickets)}, wait_ready=False) as service:
        service.wait_log("one[0] on cpu: loaded")
        yield service


def test_livez_is_200_while_models_load(loading: Running) -> None:
    """/livez says 200 as soon as the port listens."""
    assert loading.get("/livez").json() == {"status": "alive"}


@pytest.mark.parametrize("path", ["/readyz", "/health"])
def test_readiness_names_what_is_loading(loading: Running, path: str) -> None:
    """/readyz and /health are 503 and name exactly the workers that are still loading."""
    answer = loading.get(path)
    assert answer.status_code == 503
    document = answer.json()
    assert document["status"] == "loading"
    waiting = [line.partition(" (")[0] for line in document["waiting_for"]]
    assert waiting == ["two[0] on cpu: loading", "two[1] on cpu: loading"]


@pytest.mark.parametrize(("path", "status"), [("/livez", 200), ("/readyz", 503), ("/health", 503)])
def test_probes_answer_head(loading: Running, path: str, status: int) -> None:
    """HEAD on a probe has GET's status and length and no body; the connection stays usable."""
    with wire.connected(loading.port) as client:
        client.send(wire.get(path, method="HEAD") + wire.get("/livez"))
        client.sock.settimeout(5)
        head = b""
        while head.count(b"\r\n\r\n") < 2:
            head += client.sock.recv(65_536)
    first, second = head.split(b"\r\n\r\n")[:2]
    assert first.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-length: " in first
    assert second.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
def test_probes_refuse_other_methods(loading: Running, method: str) -> None:
    """Another method on a probe is 405 with Allow."""
    answer = httpx.request(method, loading.url + "/readyz")
    assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD"


def test_a_loading_endpoint_says_so(loading: Running) -> None:
    """An endpoint without a loaded worker answers 503 loading with Retry-After, at once."""
    began = time.monotonic()
    answer = loading.post("/v2/predict", {"x": 1})
    problem = assert_problem(answer, 503, "loading")
    assert int(answer.headers["retry-after"]) >= 1
    assert "two[0] on cpu" in problem["detail"]
    assert "one[0]" not in problem["detail"]
    assert time.monotonic() - began < 5


def test_a_loaded_endpoint_serves_while_its_namesake_loads(loading: Running) -> None:
    """Endpoints that share a last path segment are told apart."""
    assert loading.post("/v1/predict", {"x": 4}).json() == {"x": 4}


def test_the_contract_is_there_while_models_load(loading: Running) -> None:
    """/openapi.json and /docs do not wait for models."""
    assert set(loading.get("/openapi.json").json()["paths"]) >= {"/v1/predict", "/v2/predict", "/readyz"}
    assert loading.get("/docs").status_code == 200


def test_the_log_does_not_say_ready_too_early(loading: Running) -> None:
    """As long as a worker loads, the log says that it loads and does not say ready."""
    log = loading.log()
    assert "two[1] on cpu: loading" in log
    assert "ready: " not in log


def test_ready_only_when_every_worker_has_loaded(tmp_path: Path) -> None:
    """Each worker in turn leaves the list, the last one makes it 200, and only then the log says ready."""
    endpoints = {"one": gated("Gated", "/v1/predict"), "two": gated("GatedToo", "/v2/predict", 2)}
    path = config(tmp_path, endpoints)
    with serving(path, env={"LITGEN_TEST_TICKETS": str(tmp_path)}, wait_ready=False) as service:
        service.wait_log("two[1] on cpu: loading")
        for left, kind in ((2, "b"), (1, "a"), (0, "b")):
            assert service.get("/readyz").status_code == 503
            assert "ready: " not in service.log()
            admit(tmp_path, kind)
            assert eventually(lambda n=left: len(service.get("/readyz").json()["waiting_for"]) == n)  # type: ignore[misc]
        assert service.get("/readyz").json() == {"status": "ready", "waiting_for": []}
        assert service.get("/health").status_code == 200
        log = service.log()
        assert log.count("ready: all 3 workers have loaded") == 1
        assert log.count(": loaded in ") == 3


def test_probes_under_load(tmp_path: Path) -> None:
    """With a full queue and 200 connections, probes stay 200 and quick, and newcomers get 503 at once."""
    path = config(tmp_path, {"act": act(queue={"max_size": 16}, timeout_s=60.0), "square": square()})
    with serving(path) as service, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(wire.connected(service.port, 60)) for _ in range(200)]
        for client in clients:
            client.send(wire.post("/act", json.dumps({"do": "sleep", "seconds": 0.15}).encode()))
        assert eventually(lambda: service.get("/health").json()["endpoints"]["act"]["queued"] == 16)
        slowest = 0.0
        for probe in ("/livez", "/readyz", "/health") * 5:
            began = time.monotonic()
            assert service.get(probe).status_code == 200
            slowest = max(slowest, time.monotonic() - began)
        assert service.post("/square", {"x": 3}).json() == {"x": 9}
        answers = [client.expect() for client in clients]
    refused = [answer for answer in answers if answer.status != 200]
    assert slowest < 2
    assert len(refused) > 150
    assert len(answers) - len(refused) >= 17
    for answer in refused:
        assert (answer.status, answer.json()["code"]) == (503, "queue-full")
        assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_degraded_then_ready_again(tmp_path: Path) -> None:
    """With one worker of two dead the service is degraded but ready; with none of an endpoint it is not."""
    endpoints = {"one": gated("Gated", "/one", 2), "two": gated("GatedToo", "/two")}
    path = config(tmp_path, endpoints)
    for kind in ("a", "a", "b"):
        admit(tmp_path, kind)
    with serving(path, env={"LITGEN_TEST_TICKETS": str(tmp_path)}) as service:
        pids = {process.cmdline()[-1]: process.pid for process in service.marked.of("litgen_runtime.worker")}
        os.kill(pids["one[0] on cpu"], signal.SIGKILL)
        assert eventually(lambda: service.get("/readyz").json()["status"] == "degraded")
        assert service.get("/readyz").status_code == 200
        assert service.post("/one", {"x": 5}).json() == {"x": 5}
        os.kill(pids["two[0] on cpu"], signal.SIGKILL)
        assert eventually(lambda: service.get("/readyz").status_code == 503)
        document = service.get("/health").json()
        assert document["status"] == "unavailable"
        assert [line.partition(":")[0] for line in document["waiting_for"]] == ["two[0] on cpu"]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(service.post, "/two", {"x": 7})
            time.sleep(0.3)
            assert not waiting.done()
            admit(tmp_path, "b")
            assert waiting.result(30).json() == {"x": 7}
        admit(tmp_path, "a")
        assert eventually(lambda: service.get("/readyz").json()["status"] == "ready")
        workers = service.get("/health").json()["endpoints"]
        assert [worker["restarts"] for name in ("one", "two") for worker in workers[name]["workers"]] == [1, 0, 1]
