"""Processes that hang without dying: the service still ends, and still tells the truth."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests import wire
from tests.services import act, alive, config, eventually, serving, square


def test_a_stopped_idle_worker_at_shutdown(tmp_path: Path) -> None:
    """A worker under SIGSTOP does not end by itself and is killed after the grace, as is the guardian; exit 0."""
    with serving(config(tmp_path, {"square": square(), "act": act()})) as service:
        pid = service.worker_pids()[0]
        os.kill(pid, signal.SIGSTOP)
        os.kill(service.guardian_pid, signal.SIGSTOP)
        began = time.monotonic()
        service.signal(signal.SIGTERM)
        assert service.wait_exit() == 0
        assert time.monotonic() - began < 15
        assert "still running, killed" in service.log()
        assert not alive(pid)


def test_a_stopped_worker_with_work_at_shutdown(tmp_path: Path) -> None:
    """What it holds is cut at the end of the drain."""
    path = config(tmp_path, {"act": act()}, shutdown={"drain_timeout_s": 1.0})
    with serving(path) as service, wire.connected(service.port) as client:
        os.kill(service.worker_pids()[0], signal.SIGSTOP)
        client.send(wire.post("/act", b'{"do": "pid"}'))
        assert eventually(lambda: service.get("/health").json()["in_flight"] == 1)
        service.signal(signal.SIGTERM)
        reply = client.expect()
        assert (reply.status, reply.json()["code"]) == (503, "draining")
        assert service.wait_exit() == 0


def test_a_stopped_http_process_at_shutdown(tmp_path: Path) -> None:
    """An HTTP process that does not react is killed in the end."""
    path = config(tmp_path, {"square": square()}, shutdown={"drain_timeout_s": 0.5})
    with serving(path) as service:
        os.kill(service.http_pid, signal.SIGSTOP)
        service.signal(signal.SIGTERM)
        assert service.wait_exit(40) == 0
        assert "did not drain in time" in service.log()


@pytest.mark.parametrize("who", ["worker", "guardian"])
def test_a_stopped_process_and_a_killed_supervisor(tmp_path: Path, who: str) -> None:
    """A stopped worker is killed with the rest; a stopped guardian leaves its work undone until it goes on."""
    with serving(config(tmp_path, {"square": square()})) as service:
        guardian = service.guardian_pid
        os.kill(service.worker_pids()[0] if who == "worker" else guardian, signal.SIGSTOP)
        os.kill(service.pid, signal.SIGKILL)
        service.wait_exit()
        if who == "guardian":
            assert eventually(lambda: [p.pid for p in service.marked.processes()] == [guardian], 5)
            assert "Z ERROR   http: the supervisor is gone; stopping" in service.log()
            os.kill(guardian, signal.SIGCONT)
        assert eventually(lambda: not service.marked.processes(), 5)
