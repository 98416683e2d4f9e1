"""Processes that are killed: nothing is orphaned, others are unharmed, the service comes back (docs/behavior.md)."""

import concurrent.futures
import json
import os
import select
import signal
import socket
import time
from pathlib import Path

import httpx
import pytest

from tests import wire
from tests.services import Running, act, alive, assert_problem, config, endpoint, eventually, serving, square


def kill(pid: int) -> None:
    """Kill a process as the kernel would."""
    os.kill(pid, signal.SIGKILL)


def assert_all_gone(service: Running, within_s: float = 5.0) -> None:
    """Check that every process of the service, grandchildren included, ends within moments."""
    assert eventually(lambda: not service.marked.processes() and free(service.port), within_s), service.log()


def free(port: int) -> bool:
    """Whether nobody listens at a port any more."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def begin(client: wire.Wire, action: str, **more: object) -> None:
    """Send a request to the model that does what it is told."""
    client.send(wire.post("/act", json.dumps({"do": action, **more}).encode()))


@pytest.mark.parametrize("action", ["pid", "sleep", "hold-gil"])
def test_kill_of_the_supervisor(tmp_path: Path, action: str) -> None:
    """A kill -9 of the supervisor ends all, also workers that compute or hold the GIL, and the model's children."""
    with serving(config(tmp_path, {"act": act(workers={"per_device": 2})})) as service:
        child = service.post("/act", {"do": "spawn", "seconds": 600}).json()["value"]
        assert alive(child)
        with wire.connected(service.port) as client:
            begin(client, action, seconds=600)
            time.sleep(0.5)
            kill(service.pid)
            service.wait_exit()
            assert_all_gone(service)
            assert not alive(child)


def test_kill_of_the_supervisor_while_loading(tmp_path: Path) -> None:
    """A kill -9 of the supervisor while setup hangs with the GIL held leaves nothing."""
    hanging = endpoint("loading:Hangs", "/x", "Number", "Number")
    with serving(config(tmp_path, {"x": hanging, "y": square()}), wait_ready=False) as service:
        service.wait_log("x[0] on cpu: loading")
        time.sleep(0.7)
        kill(service.pid)
        service.wait_exit()
        assert_all_gone(service)


@pytest.mark.parametrize("delay_s", [0.05, 0.3])
def test_kill_of_the_supervisor_at_its_start(tmp_path: Path, delay_s: float) -> None:
    """However early the supervisor is killed, what it has started ends too."""
    with serving(config(tmp_path, {"x": square()}), wait_ready=False) as service:
        service.wait_log("listening on ")
        time.sleep(delay_s)
        kill(service.pid)
        service.wait_exit()
        assert_all_gone(service, 10.0)


def test_kill_of_the_guardian(tmp_path: Path) -> None:
    """A killed guardian is replaced by one that knows every process, so that the next kill -9 leaves nothing either."""
    with serving(config(tmp_path, {"act": act()})) as service, wire.connected(service.port) as client:
        service.post("/act", {"do": "spawn", "seconds": 600})
        guardian = service.guardian_pid
        kill(guardian)
        assert eventually(lambda: service.guardian_pid != guardian and not alive(guardian))
        assert service.get("/readyz").status_code == 200
        begin(client, "hold-gil", seconds=600)
        time.sleep(0.5)
        kill(service.pid)
        service.wait_exit()
        assert_all_gone(service)


def test_kill_of_a_worker(tmp_path: Path) -> None:
    """Its requests are 503 within two seconds, the other endpoint is unharmed, a new worker takes over."""
    with serving(config(tmp_path, {"act": act(), "square": square()})) as service:
        pid = service.post("/act", {"do": "pid"}).json()["pid"]
        other = next(worker for worker in service.worker_pids() if worker != pid)
        with wire.connected(service.port) as client, concurrent.futures.ThreadPoolExecutor(1) as pool:
            begin(client, "sleep", seconds=60)
            time.sleep(0.3)
            child_of_other = pool.submit(lambda: [service.post("/square", {"x": n}).status_code for n in range(40)])
            began = time.monotonic()
            kill(pid)
            reply = client.expect()
            assert time.monotonic() - began < 2
            assert (reply.status, reply.json()["code"]) == (503, "worker-died")
            assert int(reply.headers["retry-after"]) >= 1
            assert set(child_of_other.result(60)) == {200}
        assert service.post("/act", {"do": "pid"}).json()["pid"] != pid
        assert alive(other)
        assert eventually(lambda: service.get("/readyz").json()["status"] == "ready")
        assert "act[0] on cpu: ended (SIGKILL); a new one starts in 0.5 s" in service.log()


def test_kill_of_one_worker_of_two(tmp_path: Path) -> None:
    """Its request is 503 within two seconds; the other worker's is unharmed; until it is replaced all is served."""
    with serving(config(tmp_path, {"act": act(workers={"per_device": 2})})) as service:
        with wire.connected(service.port) as one, wire.connected(service.port) as two:
            begin(one, "sleep", seconds=3)
            begin(two, "sleep", seconds=3)
            assert eventually(lambda: service.get("/health").json()["in_flight"] == 2)
            time.sleep(0.2)
            began = time.monotonic()
            kill(service.worker_pids()[0])
            assert eventually(lambda: service.get("/readyz").json()["status"] == "degraded")
            assert service.get("/readyz").status_code == 200
            ready, _, _ = select.select([one.sock, two.sock], [], [], 2.0)
            assert len(ready) == 1
            assert time.monotonic() - began < 2
            died, lived = (one, two) if ready[0] is one.sock else (two, one)
            assert died.expect().json()["code"] == "worker-died"
            assert lived.expect().json()["value"] == 3
        assert service.post("/act", {"do": "pid"}).status_code == 200
        assert eventually(lambda: service.get("/readyz").json()["status"] == "ready")


@pytest.mark.parametrize("action", ["die", "exit-process"])
def test_a_request_that_kills_its_worker(tmp_path: Path, action: str) -> None:
    """A request that ends its worker again and again is 503 each time and never ends the service."""
    with serving(config(tmp_path, {"act": act(), "square": square()})) as service:
        for _ in range(2):
            assert_problem(service.post("/act", {"do": action}), 503, "worker-died")
            assert service.post("/square", {"x": 2}).json() == {"x": 4}
            assert service.post("/act", {"do": "pid"}).status_code == 200
        assert service.process.process.poll() is None


def test_a_dead_workers_children(tmp_path: Path) -> None:
    """What a model started dies with its worker."""
    with serving(config(tmp_path, {"act": act()})) as service:
        child = service.post("/act", {"do": "spawn", "seconds": 600}).json()["value"]
        assert alive(child)
        assert service.post("/act", {"do": "die"}).status_code == 503
        assert eventually(lambda: not alive(child), 5)


def test_a_dead_worker_with_a_runaway_child(tmp_path: Path) -> None:
    """A child in a session of its own, which inherits what can be inherited, does not hide its worker's death."""
    with serving(config(tmp_path, {"act": act()})) as service:
        child = service.post("/act", {"do": "spawn-session", "seconds": 30}).json()["value"]
        try:
            began = time.monotonic()
            assert_problem(service.post("/act", {"do": "die"}), 503, "worker-died")
            assert time.monotonic() - began < 3
            assert service.post("/act", {"do": "pid"}).status_code == 200
        finally:
            kill(child)


def test_a_batch_in_a_dead_worker(tmp_path: Path) -> None:
    """Every request of the batch, and what waited behind it in the worker, gets one answer."""
    slow = endpoint("basic:Slow", "/slow", "Number", "Number", timeout_s=60.0)
    with serving(config(tmp_path, {"slow": slow})) as service, concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(service.post, "/slow", {"x": 1.0}) for _ in range(8)]
        assert eventually(lambda: service.get("/health").json()["in_flight"] >= 4)
        kill(service.worker_pids()[0])
        assert [answer.result(60).status_code for answer in answers] == [200] * 8, "what may run again does"


def test_kill_of_the_http_process(tmp_path: Path) -> None:
    """The service comes back on the same port with the same supervisor, as often as it takes."""
    with serving(config(tmp_path, {"act": act()})) as service:
        for _ in range(2):
            before = service.http_pid
            workers = service.worker_pids()
            kill(before)
            assert eventually(lambda pid=before: not alive(pid))  # type: ignore[misc]
            service.process.wait_ready(30)
            assert service.http_pid != before
            assert service.post("/act", {"do": "pid"}).json()["pid"] not in workers
            assert not any(alive(pid) for pid in workers)
        assert service.process.process.poll() is None


def test_kill_of_the_http_process_while_it_starts_again(tmp_path: Path) -> None:
    """A second kill before the replacement listens does not end the service."""
    with serving(config(tmp_path, {"square": square()})) as service:
        before = service.http_pid
        kill(before)
        assert eventually(lambda: any(p.pid != before for p in service.marked.of("litgen_runtime.http")))
        kill(next(p.pid for p in service.marked.of("litgen_runtime.http") if p.pid != before))
        time.sleep(0.3)
        service.process.wait_ready(30)
        assert service.post("/square", {"x": 3}).json() == {"x": 9}


def test_a_signal_right_after_the_http_process_died(tmp_path: Path) -> None:
    """With nothing in flight any more, SIGTERM in that moment ends the service, exit 0."""
    with serving(config(tmp_path, {"square": square()})) as service:
        kill(service.http_pid)
        service.wait_log("the HTTP process ended (SIGKILL)")
        service.signal(signal.SIGTERM)
        assert service.wait_exit() == 0
        assert "Traceback" not in service.log()


def test_kill_of_the_http_process_during_the_drain(tmp_path: Path) -> None:
    """The service ends all the same, with exit code 1, and leaves nothing."""
    with serving(config(tmp_path, {"act": act()})) as service, wire.connected(service.port) as client:
        begin(client, "sleep", seconds=60)
        time.sleep(0.5)
        service.signal(signal.SIGTERM)
        service.wait_log("shutting down")
        kill(service.http_pid)
        assert service.wait_exit() == 1
        assert_all_gone(service)


def test_kill_of_everything_at_random(tmp_path: Path) -> None:
    """Whichever workers die under load, every request is answered, and only with what the contract says."""
    path = config(tmp_path, {"square": square(workers={"per_device": 2})})
    with serving(path) as service, concurrent.futures.ThreadPoolExecutor(4) as pool:
        until = time.monotonic() + 4

        def ask(_: int) -> set[int]:
            codes = set()
            with httpx.Client(base_url=service.url, timeout=40) as client:
                while time.monotonic() < until:
                    codes.add(client.post("/square", json={"x": 2}).status_code)
            return codes

        asking = [pool.submit(ask, n) for n in range(4)]
        while time.monotonic() < until - 1:
            for pid in service.worker_pids()[:1]:
                kill(pid)
            time.sleep(1)
        assert set().union(*(each.result(60) for each in asking)) <= {200, 503}
        assert eventually(lambda: service.get("/readyz").json()["status"] == "ready")
