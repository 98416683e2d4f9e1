"""Jobs while processes die: what has been acknowledged is done, and has one end (docs/jobs.md)."""

import contextlib
import os
import random
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.jobs import accepted, ended, job_of, stands
from tests.services import Running, act, alive, config, endpoint, eventually, serving


class Clients:
    """Some clients that hand in jobs, each with a key, and again until it has been acknowledged.

    Args:
        port: of the service.
        count: how many jobs each hands in.
    """

    def __init__(self, port: int, count: int) -> None:
        self.acknowledged: dict[str, set[str]] = {}
        self._url = f"http://127.0.0.1:{port}/act"
        self._count = count
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(4)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Wait until all is acknowledged."""
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive()

    @property
    def at_work(self) -> bool:
        """Whether somebody still hands in."""
        return any(thread.is_alive() for thread in self._threads)

    def _ask(self, client: int) -> None:
        with httpx.Client(timeout=10) as http:
            for number in range(self._count):
                key = f"{client}-{number}"
                headers = {"Prefer": "respond-async", "Idempotency-Key": key}
                document = {"do": "echo", "text": key}
                while True:
                    with contextlib.suppress(httpx.HTTPError):
                        answer = http.post(self._url, json=document, headers=headers)
                        if answer.status_code == 202:
                            self.acknowledged.setdefault(key, set()).add(answer.json()["id"])
                            break
                    time.sleep(0.05)


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def all_ended(service: Running, acknowledged: dict[str, set[str]]) -> bool:
    """Wait until every job has succeeded with the result of its own request."""
    with httpx.Client(timeout=10) as http:
        for key, (job_id,) in acknowledged.items():
            job: dict[str, Any] = {}
            deadline = time.monotonic() + 60
            while job.get("status") not in ("succeeded", "failed", "canceled") and time.monotonic() < deadline:
                with contextlib.suppress(httpx.HTTPError):
                    job = http.get(f"{service.url}/v1/jobs/{job_id}?wait=5").json()
            assert (job["status"], job["output"]["value"]) == ("succeeded", key), job
    return True


@pytest.mark.parametrize("victim", ["worker", "http"])
def test_deaths_while_jobs_come_and_run(tmp_path: Path, victim: str) -> None:
    """Each acknowledged job has one id, however often it was handed in, and succeeds."""
    together = endpoint("actions:ActTogether", "/act", jobs=True, batching={"max_size": 8, "max_wait_s": 0.002})
    path = config(tmp_path, {"act": together}, {"port": free_port()}, jobs={"max_attempts": 20})
    with serving(path) as service:
        clients = Clients(service.port, 100)
        clients.start()
        dice = random.Random(7)
        for _ in range(5):
            time.sleep(dice.uniform(0.2, 1.0))
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(service.http_pid if victim == "http" else service.worker_pids()[0], signal.SIGKILL)
        clients.finish()
        assert len(clients.acknowledged) == 400
        assert all_ended(service, clients.acknowledged)


def test_a_service_that_is_killed_and_started_again(tmp_path: Path) -> None:
    """What was acknowledged and not done is done by the next one, whatever of the first was killed."""
    path = config(tmp_path, {"act": act(jobs=True, repeatable=True)}, {"port": free_port()})
    acknowledged = {}
    with serving(path) as service:
        for number in range(40):
            document = {"do": "echo", "text": str(number)} if number else {"do": "sleep", "seconds": 8}
            acknowledged[str(number)] = {accepted(service, "/act", document)}
        (first,) = acknowledged.pop("0")
        assert stands(service, first, "running")
        service.signal(signal.SIGKILL)
        assert service.wait_exit() == -signal.SIGKILL
    with serving(path) as service:
        assert all_ended(service, acknowledged)
        job = ended(service, first)
        assert (job["status"], job["attempt"]) == ("succeeded", 2)


def test_what_may_not_run_twice(tmp_path: Path) -> None:
    """With repeatable = false a job that ran when the process died has failed, and says why; others are done."""
    path = config(tmp_path, {"act": act(jobs=True)})
    with serving(path) as service:
        running = accepted(service, "/act", {"do": "sleep", "seconds": 600})
        waiting = accepted(service, "/act", {"do": "pid"})
        assert stands(service, running, "running")
        http = service.http_pid
        os.kill(http, signal.SIGKILL)
        assert eventually(lambda: not alive(http))
        assert eventually(lambda: service.log().count("ready: ") == 2)
        assert ended(service, waiting)["status"] == "succeeded"
        job = ended(service, running)
        assert (job["status"], job["attempt"], job["error"]["code"]) == ("failed", 1, "worker-died")


def test_a_shutdown_with_a_backlog(tmp_path: Path) -> None:
    """What runs is finished within the drain time, what waits is kept for the next start, nothing begins any more."""
    path = config(tmp_path, {"act": act(jobs=True, repeatable=True)}, shutdown={"drain_timeout_s": 20.0})
    with serving(path) as service:
        jobs = [accepted(service, "/act", {"do": "sleep", "seconds": 1.0}) for _ in range(6)]
        assert stands(service, jobs[0], "running")
        began = time.monotonic()
        service.signal(signal.SIGTERM)
        assert service.wait_exit() == 0
        assert time.monotonic() - began < 5, "it ran more than workers held"
    with serving(path) as service:
        found = [ended(service, job_id) for job_id in jobs]
        assert {job["status"] for job in found} == {"succeeded"}
        assert {job["attempt"] for job in found} == {1}


def test_a_drain_time_that_is_too_short(tmp_path: Path) -> None:
    """What cannot be finished in time waits again, without an attempt less."""
    path = config(tmp_path, {"act": act(jobs=True, repeatable=True)}, shutdown={"drain_timeout_s": 0.5})
    with serving(path) as service:
        job_id = accepted(service, "/act", {"do": "sleep", "seconds": 4.0})
        assert stands(service, job_id, "running")
        service.signal(signal.SIGTERM)
        service.wait_exit()
    with serving(path) as service:
        job = ended(service, job_id)
        assert (job["status"], job["attempt"]) == ("succeeded", 1)
        assert job_of(service, job_id) == job
