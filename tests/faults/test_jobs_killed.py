"""Jobs while processes die: what has been acknowledged is done, and has one end (docs/jobs.md)."""

import contextlib
import os
import signal
import sqlite3
import time
from pathlib import Path

from tests import wire
from tests.integration.jobs import accepted, ended, job_of, stands, submit
from tests.services import act, alive, assert_problem, config, endpoint, eventually, serving


def test_a_service_that_is_killed_and_started_again(tmp_path: Path) -> None:
    """What was acknowledged and not done is done by the next one, whatever of the first was killed."""
    path = config(tmp_path, {"act": act(jobs=True, repeatable=True)})
    with serving(path) as service:
        first = accepted(service, "/act", {"do": "sleep", "seconds": 4.0})
        assert stands(service, first, "running")
        acknowledged = {str(n): accepted(service, "/act", {"do": "echo", "text": str(n)}) for n in range(14)}
        service.signal(signal.SIGKILL)
        assert service.wait_exit() == -signal.SIGKILL
    with serving(path) as service:
        for text, job_id in acknowledged.items():
            assert ended(service, job_id)["output"]["value"] == text
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
        assert eventually(lambda: "running" in {job_of(service, job_id)["status"] for job_id in jobs})
        began = time.monotonic()
        service.signal(signal.SIGTERM)
        assert eventually(lambda: service.get("/readyz").status_code == 503)
        refused = submit(service, "/act", {"do": "pid"})
        assert_problem(refused, 503, "draining")
        assert refused.headers["retry-after"]
        assert service.wait_exit() == 0
        assert time.monotonic() - began < 5, "it ran more than workers held"
    with serving(path) as service:
        found = [ended(service, job_id) for job_id in jobs]
        assert {job["status"] for job in found} == {"succeeded"}
        assert {job["attempt"] for job in found} == {1}


def test_a_drain_time_that_is_too_short(tmp_path: Path) -> None:
    """What runs is told to stop: workers end by themselves, and a job waits again, without an attempt less."""
    later = endpoint("actions:ActLater", "/later", jobs=True, timeout_s=600, workers={"per_device": 2})
    path = config(tmp_path, {"later": later}, shutdown={"drain_timeout_s": 0.3})
    with serving(path) as service, wire.connected(service.port) as client:
        job_id = accepted(service, "/later", {"do": "raise", "seconds": 600})
        assert stands(service, job_id, "running")
        client.send(wire.post("/later", b'{"do": "spin-and-raise"}'))
        assert eventually(lambda: service.get("/health").json()["in_flight"] == 2)
        began = time.monotonic()
        service.signal(signal.SIGTERM)
        assert client.expect().status == 503
        assert service.wait_exit() == 0
        assert time.monotonic() - began < 3
        log = service.log()
    assert "the drain time was over; calls cut: 1, jobs told to stop: 1" in log
    assert "later: jobs given back, to run after the next start: 1" in log
    assert stored(tmp_path) == [(job_id, "queued", 0)]


def test_a_result_behind_the_drain(tmp_path: Path) -> None:
    """Code that goes on although it is told to stop has a result, which counts."""
    path = config(tmp_path, {"act": act(jobs=True, repeatable=True)}, shutdown={"drain_timeout_s": 0.2})
    with serving(path) as service:
        job_id = accepted(service, "/act", {"do": "sleep", "seconds": 2.0})
        assert stands(service, job_id, "running")
        service.signal(signal.SIGTERM)
        assert service.wait_exit() == 0
        assert "calls cut: 0, jobs told to stop: 1" in service.log()
    assert stored(tmp_path) == [(job_id, "succeeded", 1)]


def stored(folder: Path) -> list[tuple[str, str, int]]:
    """Return id, status and attempt of each job in the store of a service that has ended."""
    with contextlib.closing(sqlite3.connect(folder / "var" / "jobs.db")) as store:
        return store.execute("SELECT id, status, attempt FROM jobs").fetchall()


def test_a_job_that_kills_workers_among_others(tmp_path: Path) -> None:
    """It fails, and nobody else: its batch runs again in parts, the next one that dies had it alone."""
    together = endpoint("actions:ActTogether", "/act", jobs=True, batching={"max_size": 8, "max_wait_s": 0.02})
    with serving(config(tmp_path, {"act": together})) as service:
        first = accepted(service, "/act", {"do": "sleep", "seconds": 1.0})
        assert stands(service, first, "running")
        poison = accepted(service, "/act", {"do": "die"})
        others = [accepted(service, "/act", {"do": "echo", "text": str(number)}) for number in range(7)]
        job = ended(service, poison)
        assert (job["status"], job["error"]["code"]) == ("failed", "kills-workers")
        for number, job_id in enumerate(others):
            job = ended(service, job_id)
            assert (job["status"], job["output"]["value"]) == ("succeeded", str(number))
        again = ended(service, accepted(service, "/act", {"do": "die"}))
        assert (again["status"], again["error"]["code"]) == ("failed", "quarantined")
