"""Jobs while clocks jump and processes stand still: nothing runs early, and nothing ends twice (docs/jobs.md)."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults import inside
from tests.integration.jobs import ENDED, accepted, ended, job_of, stands
from tests.receivers import SECRET, Received, Receiver, Reply, receiving
from tests.services import Running, act, alive, config, eventually, serving

ENV = {"HOOK_KEYS": SECRET}


def hooks(receiver: Receiver) -> dict[str, Any]:
    """Return the table of a service that sends webhooks to a receiver on this machine."""
    choices: dict[str, Any] = {"secrets": "env:HOOK_KEYS", "allow_http": True, "allow_private": True}
    return {**choices, "ports": [receiver.port], "schedule_s": [0, 0.5, 0.5]}


def ends(service: Running, job_id: str) -> list[str]:
    """Return every end that a job has come to."""
    lines = service.get(f"/v1/jobs/{job_id}/events").text.splitlines()
    return [line.removeprefix("event: ") for line in lines if line.removeprefix("event: ") in ENDED]


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_jumps(tmp_path: Path, hours: int) -> None:
    """What waits, runs or is to be told of takes no notice; nor does the process that comes after one that died."""

    def says(count: int, _: Received) -> Reply:
        return Reply(204 if count else 500)

    clock = tmp_path / "clock"
    inside.put(clock, "0")
    with receiving(says) as receiver:
        path = config(tmp_path, {"act": act(jobs=True, repeatable=True)}, webhooks=hooks(receiver))
        with serving(path, env={**ENV, **inside.env(clock=clock)}) as service:
            limits = {"Job_TTL": "1800", "Cancel_After": "1800"}
            first = accepted(service, "/act", {"do": "sleep", "seconds": 1.0}, Webhook_Url=receiver.url, **limits)
            waiting = accepted(service, "/act", {"do": "pid"}, **limits)
            assert stands(service, first, "running")
            inside.put(clock, str(hours * 3600))
            job = ended(service, first)
            assert (job["status"], job["attempt"]) == ("succeeded", 1)
            assert eventually(lambda: len(receiver.received) == 2), "it is told again after half a second"
            assert ended(service, waiting)["status"] == "succeeded"
            later = accepted(service, "/act", {"do": "sleep", "seconds": 0.5}, Webhook_Url=receiver.url)
            http = service.http_pid
            os.kill(http, signal.SIGKILL)
            assert eventually(lambda: not alive(http))
            assert eventually(lambda: service.log().count("ready: ") == 2)
            assert ended(service, later)["status"] == "succeeded"
            assert eventually(lambda: len(receiver.received) == 3)
            assert [ends(service, each) for each in (first, later)] == [["succeeded"], ["succeeded"]]


def test_an_http_process_that_stands_still(tmp_path: Path) -> None:
    """It is replaced, what it ran is done again, and it has no say in that any more."""
    with receiving() as receiver:
        endpoints = {"act": act(jobs=True, repeatable=True)}
        path = config(tmp_path, endpoints, {"hang_timeout_s": 2.0}, webhooks=hooks(receiver))
        with serving(path, env=ENV) as service:
            job_id = accepted(service, "/act", {"do": "sleep", "seconds": 0.5}, Webhook_Url=receiver.url)
            assert stands(service, job_id, "running")
            stopped = service.http_pid
            os.kill(stopped, signal.SIGSTOP)
            assert eventually(lambda: not alive(stopped))
            assert eventually(lambda: service.log().count("ready: ") == 2)
            job = ended(service, job_id)
            assert (job["status"], job["attempt"], ends(service, job_id)) == ("succeeded", 2, ["succeeded"])
            assert eventually(lambda: receiver.received)
            assert len({each.webhook_id for each in receiver.received}) == 1


def test_a_worker_that_stands_still(tmp_path: Path) -> None:
    """It is killed when its run has taken too long; the job ends once, and the next one is done by another."""
    limits: dict[str, Any] = {"timeout_s": 10.0, "run_limit_s": 0.5, "kill_grace_s": 0.3}
    with serving(config(tmp_path, {"act": act(jobs=True, repeatable=True, **limits)})) as service:
        job_id = accepted(service, "/act", {"do": "sleep", "seconds": 0.4})
        waiting = accepted(service, "/act", {"do": "pid"})
        assert stands(service, job_id, "running")
        (stopped,) = service.worker_pids()
        os.kill(stopped, signal.SIGSTOP)
        job = ended(service, job_id)
        assert (job["status"], job["error"]["code"], ends(service, job_id)) == ("failed", "run-too-long", ["failed"])
        assert ended(service, waiting)["output"]["value"] != stopped


def test_a_service_that_stands_still(tmp_path: Path) -> None:
    """Nothing is taken from it meanwhile: what ran goes on, in its first attempt."""
    with serving(config(tmp_path, {"act": act(jobs=True, repeatable=True)})) as service:
        job_id = accepted(service, "/act", {"do": "spin", "seconds": 0.5})
        assert stands(service, job_id, "running")
        processes = service.marked.processes()
        for process in processes:
            process.suspend()
        time.sleep(2.0)
        for process in processes:
            process.resume()
        assert ended(service, job_id)["attempt"] == 1
        assert job_of(service, job_id)["status"] == "succeeded"
        assert ends(service, job_id) == ["succeeded"]
