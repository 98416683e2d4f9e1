"""What runs too long, kills its worker, or is no longer wanted (docs/behavior.md, 2 and 3)."""

import concurrent.futures
import time
from pathlib import Path

import httpx
import pytest

from tests import wire
from tests.services import act, assert_problem, config, endpoint, eventually, serving


@pytest.mark.parametrize("action", ["sleep", "spin", "native", "hold-gil"])
def test_a_hung_predict(tmp_path: Path, action: str) -> None:
    """Its client is freed at the timeout, its worker killed after the grace, and the next request lives."""
    hanging = act(timeout_s=1.0, kill_grace_s=0.5)
    with serving(config(tmp_path, {"act": hanging})) as service:
        pid = service.post("/act", {"do": "pid"}).json()["pid"]
        began = time.monotonic()
        problem = assert_problem(service.post("/act", {"do": action, "seconds": 600}), 504, "timeout")
        assert time.monotonic() - began < 2
        assert problem["ran_s"] == pytest.approx(1.0, abs=0.3)
        assert "endpoints.act.timeout_s" in problem["detail"]
        answer = eventually_answered(service.url)
        assert answer["pid"] != pid
        assert "run_limit_s" in service.log()
        assert 'litgen_worker_deaths_total{cause="run-limit",endpoint="act"} 1.0' in service.get("/metrics").text


def eventually_answered(url: str) -> dict[str, int]:
    """Return the first answer of a worker that has taken over."""
    found: list[dict[str, int]] = []

    def ask() -> bool:
        reply = httpx.post(url + "/act", json={"do": "pid"}, timeout=20)
        if reply.status_code == 200:
            found.append(reply.json())
        return bool(found)

    assert eventually(ask)
    return found[0]


@pytest.mark.parametrize("action", ["be-cancelled", "raise", "spin-and-raise"])
def test_a_run_that_is_stopped(tmp_path: Path, action: str) -> None:
    """A run that ends because it was told to is 504 run-too-long, whatever it raises; its worker lives on."""
    later = endpoint("actions:ActLater", "/act", timeout_s=20.0, run_limit_s=0.5, kill_grace_s=10.0)
    with serving(config(tmp_path, {"act": later})) as service:
        pids = service.worker_pids()
        problem = assert_problem(service.post("/act", {"do": action, "seconds": 600}), 504, "run-too-long")
        assert "endpoints.act.run_limit_s" in problem["detail"]
        answer = service.post("/act", {"do": "answer", "seconds": 600})  # late, and in time for its client
        assert (answer.status_code, answer.json()["value"]) == (200, "late")
        assert service.worker_pids() == pids
        assert "CancelledError" not in service.log()
        assert ("a secret word" in service.log()) == action.endswith("raise")


def test_a_cancelled_predict_is_no_news(tmp_path: Path) -> None:
    """An async predict that is cancelled since its client's time is over leaves no traceback in the log."""
    later = endpoint("actions:ActLater", "/act", timeout_s=0.5, kill_grace_s=10.0)
    with serving(config(tmp_path, {"act": later})) as service:
        assert_problem(service.post("/act", {"do": "be-cancelled", "seconds": 600}), 504, "timeout")
        assert service.post("/act", {"do": "", "seconds": 0}).status_code == 200
        assert "Traceback" not in service.log()


def test_waiting_is_told_from_running(tmp_path: Path) -> None:
    """What waited behind slow work says so, though it stood next in turn in the worker."""
    path = config(tmp_path, {"act": act(timeout_s=1.0)})
    with serving(path) as service, concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(service.post, "/act", {"do": "sleep", "seconds": 2})
        time.sleep(0.3)
        problem = assert_problem(service.post("/act", {"do": "pid"}), 504, "timeout")
        assert (problem["waited_s"], problem["ran_s"]) == (pytest.approx(1.0, abs=0.2), 0.0)
        assert "never ran" in problem["detail"]
        assert slow.result().status_code == 504


def test_a_request_that_kills_workers(tmp_path: Path) -> None:
    """It runs again once, alone; then it fails by itself, and its repeat is refused while others are served."""
    with serving(config(tmp_path, {"act": act(repeatable=True)})) as service:
        assert_problem(service.post("/act", {"do": "die"}), 500, "kills-workers")
        assert_problem(service.post("/act", {"do": "die"}), 422, "quarantined")
        assert service.post("/act", {"do": "pid"}).status_code == 200


def test_quarantine_can_be_turned_off(tmp_path: Path) -> None:
    """With ``quarantine_s = false`` the repeat runs, and fails, again."""
    with serving(config(tmp_path, {"act": act(repeatable=True, quarantine_s=False)})) as service:
        for _ in range(2):
            assert_problem(service.post("/act", {"do": "die"}), 500, "kills-workers")


def test_a_client_that_leaves_the_queue(tmp_path: Path) -> None:
    """What nobody waits for any more never runs: the next request is answered as soon as the worker is free."""
    slow = endpoint("basic:Slow", "/slow", "Number", "Number", timeout_s=60.0)
    with serving(config(tmp_path, {"slow": slow})) as service, concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(service.post, "/slow", {"x": 1.5})
        assert eventually(lambda: service.get("/health").json()["in_flight"] == 1)
        for _ in range(5):
            with wire.connected(service.port) as client:
                client.send(wire.post("/slow", b'{"x": 5}'))
                time.sleep(0.05)
        began = time.monotonic()
        assert service.post("/slow", {"x": 0.1}).status_code == 200
        assert time.monotonic() - began < 4
        assert first.result().status_code == 200
        assert 'litgen_cancellations_total{cause="client-gone",endpoint="slow"} 5.0' in service.get("/metrics").text


def test_a_client_that_waits_less(tmp_path: Path) -> None:
    """X-Request-Timeout shortens the client's wait, and is refused where it is no number of seconds."""
    with serving(config(tmp_path, {"act": act()})) as service:
        url, slow = service.url + "/act", {"do": "sleep", "seconds": 1}
        began = time.monotonic()
        assert_problem(httpx.post(url, json=slow, headers={"X-Request-Timeout": "0.3"}), 504, "timeout")
        assert 0.25 <= time.monotonic() - began < 1
        for bad in ("soon", "0", "-1", "nan", "inf"):
            assert_problem(httpx.post(url, json=slow, headers={"X-Request-Timeout": bad}), 400, "invalid-header")


def test_the_queue_is_bounded_in_bytes(tmp_path: Path) -> None:
    """Past ``queue.max_bytes`` a newcomer is 503 at once, whatever its number."""
    with serving(config(tmp_path, {"act": act(queue={"max_bytes": 300})})) as service:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            command = {"do": "sleep", "seconds": 0.5, "text": "x" * 150}
            replies = [reply.result() for reply in [pool.submit(service.post, "/act", command) for _ in range(8)]]
        codes = {reply.status_code for reply in replies}
        assert codes == {200, 503}
        assert {reply.json()["code"] for reply in replies if reply.status_code == 503} == {"queue-full"}
