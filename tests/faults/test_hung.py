"""Processes that live and do nothing (docs/behavior.md, 1)."""

import os
import signal
import time
from pathlib import Path

from tests import wire
from tests.services import act, alive, assert_problem, config, endpoint, eventually, serving, square


def test_a_stopped_http_process(tmp_path: Path) -> None:
    """An HTTP process that has been silent for hang_timeout_s is killed and replaced, on the same port."""
    with serving(config(tmp_path, {"x": square("/x")}, {"hang_timeout_s": 2.0})) as service:
        http, workers = service.http_pid, service.worker_pids()
        os.kill(http, signal.SIGSTOP)
        began = time.monotonic()
        service.wait_log("the HTTP process hangs: it has been silent for service.hang_timeout_s, 2 s; killed")
        assert 1.5 < time.monotonic() - began < 10
        assert eventually(lambda: not alive(http))
        service.wait_log("it and the workers start again in 0.5 s")
        assert eventually(lambda: service.log().count("ready: ") == 2)
        assert service.post("/x", {"x": 3}).json() == {"x": 9}
        assert not any(map(alive, workers))


def test_a_busy_http_process_is_left_alone(tmp_path: Path) -> None:
    """A stop that is shorter than hang_timeout_s, and a service that has it off, are no reason to kill."""
    with serving(config(tmp_path, {"x": square("/x")}, {"hang_timeout_s": False})) as service:
        http = service.http_pid
        os.kill(http, signal.SIGSTOP)
        time.sleep(3.0)
        os.kill(http, signal.SIGCONT)
        assert service.post("/x", {"x": 3}).json() == {"x": 9}
        assert service.http_pid == http


def test_a_service_that_is_frozen_as_a_whole(tmp_path: Path) -> None:
    """A pause of all processes, as of a container or a laptop, is nobody's fault: all go on where they were."""
    with serving(config(tmp_path, {"x": square("/x")}, {"hang_timeout_s": 2.0})) as service:
        pids = [process.pid for process in service.marked.processes()]
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in pids:
                os.kill(pid, number)
            time.sleep(4.0 if number == signal.SIGSTOP else 1.5)
        assert service.post("/x", {"x": 3}).json() == {"x": 9}
        assert {process.pid for process in service.marked.processes()} == set(pids)


def test_a_frozen_worker(tmp_path: Path) -> None:
    """A worker that begins nothing of what it holds is killed as one whose run does not end, and nothing is lost."""
    window = {"max_size": 8, "max_wait_s": 0.01}
    limits = {"timeout_s": 20.0, "run_limit_s": 0.5, "kill_grace_s": 0.5}
    together = {**endpoint("actions:ActTogether", "/act", batching=window), **limits}
    with serving(config(tmp_path, {"act": together})) as service:
        (frozen,) = service.worker_pids()
        os.kill(frozen, signal.SIGSTOP)
        began = time.monotonic()
        answer = service.post("/act", {"do": "pid"})
        assert (answer.status_code, answer.json()["pid"] != frozen) == (200, True)
        assert time.monotonic() - began > 1.0
        assert not alive(frozen)
        assert "killed, since it has begun nothing of what it holds for run_limit_s (0.5 s)" in service.log()


def test_a_frozen_supervisor(tmp_path: Path) -> None:
    """While nobody hears that the HTTP process is alive it goes on serving."""
    with serving(config(tmp_path, {"x": square("/x")})) as service:
        os.kill(service.pid, signal.SIGSTOP)
        try:
            for number in range(20):
                assert service.post("/x", {"x": number}).status_code == 200
                time.sleep(0.1)
        finally:
            os.kill(service.pid, signal.SIGCONT)


def test_health_says_since_when_a_run_goes_on(tmp_path: Path) -> None:
    """A worker that holds the GIL is not killed for being silent; /health says for how long it has run."""
    with serving(config(tmp_path, {"act": act()})) as service, wire.connected(service.port) as client:
        client.send(wire.post("/act", b'{"do": "hold-gil", "seconds": 3}'))
        time.sleep(2.0)
        (worker,) = service.get("/health").json()["endpoints"]["act"]["workers"]
        assert 1.5 < worker["busy_for_s"] < 3
        assert worker["state"] == "ready"
        assert client.expect().status == 200
        (worker,) = service.get("/health").json()["endpoints"]["act"]["workers"]
        assert worker["busy_for_s"] is None


def test_health_says_how_the_last_worker_ended(tmp_path: Path) -> None:
    """The cause of the last death stays on /health, by signal, exit code or the limit that was passed."""
    with serving(config(tmp_path, {"act": act(timeout_s=0.5, kill_grace_s=0.0)})) as service:
        for action, code, cause in (
            ({"do": "die"}, "worker-died", "SIGKILL"),
            ({"do": "exit-process", "number": 5}, "worker-died", "exit code 5"),
            ({"do": "sleep", "seconds": 60}, "timeout", "run-limit"),
        ):
            answer = service.post("/act", action)
            assert_problem(answer, answer.status_code, code)

            def last_death() -> object:
                (worker,) = service.get("/health").json()["endpoints"]["act"]["workers"]
                return worker["last_death"]

            assert eventually(lambda wanted=cause: last_death() == wanted)  # type: ignore[misc]  # a default argument
            assert eventually(lambda: service.get("/readyz").status_code == 200)


def test_setup_that_fails_on_a_restart(tmp_path: Path) -> None:
    """A service that has served goes on trying, ever more rarely, and /health says the last error."""
    fickle = endpoint("loading:Fickle", "/x", "Number", "Number", workers={"max_restarts": 0})
    endpoints = {"x": fickle, "y": square("/y")}
    with serving(config(tmp_path, endpoints), env={"LITGEN_TEST_TICKETS": str(tmp_path)}) as service:
        (tmp_path / "broken").touch()
        pids = {process.cmdline()[-1]: process.pid for process in service.marked.of("litgen_runtime.worker")}
        os.kill(pids["x[0] on cpu"], signal.SIGKILL)
        for delay_s in ("1.0", "2.0"):
            service.wait_log(f"x[0] on cpu: setup failed; tried again in {delay_s} s")
        (worker,) = service.get("/health").json()["endpoints"]["x"]["workers"]
        assert (worker["last_death"], worker["last_error"]) == (
            "setup-failed",
            "MemoryError: no room on the device",
        )
        assert service.post("/y", {"x": 3}).json() == {"x": 9}
        (tmp_path / "broken").unlink()
        assert service.post("/x", {"x": 3}).json() == {"x": 3}
