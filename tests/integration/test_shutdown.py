"""Signals and the drain (docs/behavior.md, 4 and 5)."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests import wire
from tests.services import MARK, ROOT, Marked, Running, act, config, endpoint, eventually, serving, square

SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


@contextmanager
def working(service: Running, seconds: float, action: str = "sleep") -> Iterator[wire.Wire]:
    """Give a connection whose request is running."""
    with wire.connected(service.port, 60) as client:
        client.send(wire.post("/act", json.dumps({"do": action, "seconds": seconds}).encode()))
        assert eventually(lambda: service.get("/health").json()["in_flight"] >= 1)
        time.sleep(0.2)
        yield client


def assert_port_free(service: Running) -> None:
    """Check that somebody else can listen at once."""
    socket.create_server(("127.0.0.1", service.port)).close()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_lets_work_finish(tmp_path: Path, number: int) -> None:
    """Work in flight is answered 200, newcomers 503 with Connection: close; exit 0, port free, nothing left."""
    with serving(config(tmp_path, {"act": act()})) as service, working(service, 2.0) as client:
        service.signal(number)
        assert eventually(lambda: service.get("/readyz").json()["status"] == "draining")
        with wire.connected(service.port) as newcomer:
            newcomer.send(wire.post("/act", b'{"do": "pid"}'))
            refused = newcomer.expect()
            assert (refused.status, refused.json()["code"]) == (503, "draining")
            assert refused.headers["connection"] == "close"
            assert newcomer.ended()
        assert client.expect().json()["value"] == 2.0
        assert service.wait_exit() == 0
        assert_port_free(service)
        assert f"shutting down: {signal.Signals(number).name}" in service.log()
        assert "the drain time was over" not in service.log()


def test_queued_work_finishes_too(tmp_path: Path) -> None:
    """What waited in the queue when the signal came is answered as well, in keep-alive connections too."""
    with serving(config(tmp_path, {"act": act()})) as service, working(service, 0.5) as first:
        clients = []
        for _ in range(5):
            client = wire.Wire(socket.create_connection(("127.0.0.1", service.port), timeout=30))
            client.send(wire.post("/act", b'{"do": "sleep", "seconds": 0.2}'))
            clients.append(client)
        assert eventually(lambda: service.get("/health").json()["in_flight"] == 6)
        service.signal(signal.SIGTERM)
        assert first.expect().status == 200
        for client in clients:
            assert client.expect().status == 200
            client.sock.close()
        assert service.wait_exit() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group(tmp_path: Path, marked: Marked, number: int) -> None:
    """Ctrl-C in a terminal reaches the whole process group: the drain is the same."""
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "litgen_runtime", "serve", "--config", config(tmp_path, {"act": act()})],
            cwd=ROOT,
            env={**os.environ, MARK: marked.mark},
            stderr=file,
            start_new_session=True,
        )
    try:
        assert eventually(lambda: "ready: " in log.read_text(), 30)
        port = int(log.read_text().partition("listening on http://127.0.0.1:")[2].split()[0])
        with wire.connected(port) as client:
            client.send(wire.post("/act", b'{"do": "sleep", "seconds": 1}'))
            time.sleep(0.4)
            os.killpg(process.pid, number)
            assert client.expect().json()["value"] == 1
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def test_an_idle_service_ends_quickly(tmp_path: Path) -> None:
    """With nothing in flight, idle keep-alive connections do not hold the drain up."""
    with serving(config(tmp_path, {"square": square()})) as service, wire.connected(service.port) as client:
        client.send(wire.get("/livez"))
        assert client.expect().status == 200
        began = time.monotonic()
        service.signal(signal.SIGTERM)
        assert service.wait_exit() == 0
        assert time.monotonic() - began < 4


@pytest.mark.parametrize("delay_s", [0.0, 0.1, 0.3, 0.8])
def test_a_signal_while_starting(tmp_path: Path, delay_s: float) -> None:
    """However early after listening the signal comes, the service ends within moments, exit 0."""
    with serving(config(tmp_path, {"x": square(), "y": square("/y")}), wait_ready=False) as service:
        service.wait_log("listening on ")
        time.sleep(delay_s)
        began = time.monotonic()
        service.signal(signal.SIGTERM)
        assert service.wait_exit(30) == 0, service.log()
        assert time.monotonic() - began < 5
        assert "Traceback" not in service.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_setup_hangs(tmp_path: Path, number: int) -> None:
    """A worker that hangs in setup, the GIL held, does not hold the end up."""
    hanging = endpoint("loading:Hangs", "/x", "Number", "Number", workers={"per_device": 2})
    with serving(config(tmp_path, {"x": hanging}), wait_ready=False) as service:
        service.wait_log("x[1] on cpu: loading")
        time.sleep(1.0)
        began = time.monotonic()
        service.signal(number)
        assert service.wait_exit() == 0
        assert time.monotonic() - began < 4


def test_work_longer_than_the_drain_is_cut(tmp_path: Path) -> None:
    """At drain_timeout_s what is left is answered 503, counted in the log, its worker killed, exit 0."""
    path = config(tmp_path, {"act": act()}, shutdown={"drain_timeout_s": 1.0})
    with serving(path) as service, working(service, 60.0, "hold-gil") as client:
        began = time.monotonic()
        service.signal(signal.SIGTERM)
        reply = client.expect()
        assert 0.9 < time.monotonic() - began < 3
        assert (reply.status, reply.json()["code"]) == (503, "draining")
        assert reply.headers["connection"] == "close"
        assert service.wait_exit() == 0
        assert time.monotonic() - began < 12
        assert "the drain time was over; calls cut: 1, jobs told to stop: 0" in service.log()


def test_a_body_that_never_ends_does_not_outlast_the_drain(tmp_path: Path) -> None:
    """A client that is still sending at the end of the drain is cut too."""
    path = config(tmp_path, {"square": square()}, shutdown={"drain_timeout_s": 1.0})
    with serving(path) as service, wire.connected(service.port) as client:
        client.send(b"POST /square HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert eventually(lambda: service.get("/health").json()["in_flight"] == 1)
        began = time.monotonic()
        service.signal(signal.SIGTERM)
        client.reply()
        assert service.wait_exit() == 0
        assert time.monotonic() - began < 8


def test_the_delay_serves_on(tmp_path: Path) -> None:
    """During delay_s /readyz is 503 and requests, new ones too, are answered 200; afterwards it drains."""
    path = config(tmp_path, {"square": square()}, shutdown={"delay_s": 2.0})
    with serving(path) as service:
        began = time.monotonic()
        service.signal(signal.SIGTERM)
        assert eventually(lambda: service.get("/readyz").status_code == 503)
        assert service.get("/livez").status_code == 200
        while time.monotonic() - began < 1.5:
            assert service.post("/square", {"x": 3}).json() == {"x": 9}
            assert service.get("/readyz").json()["status"] == "draining"
        assert service.wait_exit() == 0
        assert 2.0 <= time.monotonic() - began < 6


@pytest.mark.parametrize(("number", "action"), [(signal.SIGTERM, "sleep"), (signal.SIGINT, "hold-gil")])
def test_a_second_signal_forces(tmp_path: Path, number: int, action: str) -> None:
    """A second signal ends everything at once with 128 + its number."""
    with serving(config(tmp_path, {"act": act()})) as service, working(service, 60.0, action) as client:
        service.signal(signal.SIGTERM)
        service.wait_log("shutting down")
        began = time.monotonic()
        service.signal(number)
        assert service.wait_exit() == 128 + number
        assert time.monotonic() - began < 3
        assert client.reply() is None
        assert_port_free(service)


def test_two_signals_at_once(tmp_path: Path) -> None:
    """Signals in quick succession are not lost."""
    with serving(config(tmp_path, {"act": act()})) as service, working(service, 60.0):
        service.signal(signal.SIGTERM)
        service.signal(signal.SIGINT)
        assert service.wait_exit() in (128 + signal.SIGTERM, 128 + signal.SIGINT)


def test_a_slow_reader_gets_all_of_its_answer(tmp_path: Path) -> None:
    """An answer that its client is still reading when the drain begins arrives whole."""
    with serving(config(tmp_path, {"act": act()})) as service, wire.connected(service.port) as client:
        client.send(wire.post("/act", b'{"do": "large", "number": 8000000}'))
        assert client.sock.recv(1, socket.MSG_PEEK)
        service.signal(signal.SIGTERM)
        time.sleep(1.0)
        assert len(client.expect().json()["value"]) == 8_000_000
        assert service.wait_exit() == 0


def test_two_services_do_not_share_a_port_after_one_ends(tmp_path: Path) -> None:
    """The port is free the moment the process has ended: the next service starts on it at once."""
    with serving(config(tmp_path, {"square": square()})) as first:
        assert first.post("/square", {"x": 2}).json() == {"x": 4}
        first.signal(signal.SIGTERM)
        assert first.wait_exit() == 0
        again = [sys.executable, "-m", "litgen_runtime", "serve", "--config", str(tmp_path / "service.toml")]
        environment: dict[str, Any] = {**os.environ, MARK: first.marked.mark}
        process = psutil.Popen(
            [*again, "--port", str(first.port)], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
        )
        try:
            assert eventually(lambda: ready(first))
        finally:
            process.terminate()
            assert process.wait(20) == 0


def ready(service: Running) -> bool:
    """Whether something at the service's port is ready."""
    try:
        return service.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False
