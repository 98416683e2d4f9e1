"""Calls that outlive ``sync_to_job_after_s``, and limits of jobs, over HTTP (docs/behavior.md, 9.13 to 9.16)."""

import itertools
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import wire
from tests.integration.jobs import ended, submit
from tests.services import Running, act, assert_problem, config, endpoint, serving

AFTER_S = 0.4


def patient() -> dict[str, Any]:
    """Return the table of an endpoint whose calls become jobs."""
    choices: dict[str, Any] = act(jobs=True, repeatable=True, sync_to_job_after_s=AFTER_S, timeout_s=5.0)
    return choices


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service of such endpoints, and one with limits."""
    limits = {"jobs_at_once": 1, "jobs_per_minute": 3, "idempotency_key": "required"}
    endpoints = {
        "act": patient(),
        "pages": endpoint("talking:Pages", "/pages", "Number", "Number", jobs=True, sync_to_job_after_s=AFTER_S),
        "limited": act("/limited", jobs=True, workers={"per_device": 2}, **limits),
    }
    with serving(config(tmp_path_factory.mktemp("calls"), endpoints)) as running:
        yield running


def test_a_call_becomes_a_job(service: Running) -> None:
    """What takes longer is a 202, whose result is that of the run that had begun."""
    quick = service.post("/act", {"do": "sleep", "seconds": 0.01})
    assert quick.status_code == 200
    began = time.monotonic()
    answer = service.post("/act", {"do": "sleep", "seconds": 1.0})
    assert AFTER_S <= time.monotonic() - began < 1.0
    job = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (202, job["urls"]["get"])
    assert (job["status"], job["attempt"]) == ("running", 1)
    done = service.get(f"{job['urls']['get']}?wait=10").json()
    assert (done["status"], done["attempt"], done["output"]["value"]) == ("succeeded", 1, 1.0)
    assert 0.9 < done["metrics"]["run_s"] < 1.5, "it ran once, from its beginning"
    assert 'litgen_jobs_from_calls_total{endpoint="act"}' in service.get("/metrics").text


def test_what_it_says_is_kept(service: Running) -> None:
    """Progress and log lines from before it was a job are in its record and its events."""
    job = service.post("/pages", {"x": 8}).json()
    assert ended(service, job["id"])["note"] == "page 8 of 8"
    text = service.get(job["urls"]["events"]).text
    assert [f'reading page {page}"' in text for page in range(1, 9)] == [True] * 8


def test_who_has_left_has_no_job(service: Running) -> None:
    """A client that hangs up before the time has none."""
    before = service.get("/v1/jobs").json()["jobs"]
    with wire.connected(service.port) as client:
        client.send(wire.post("/act", b'{"do": "sleep", "seconds": 0.8}'))
        time.sleep(AFTER_S / 2)
    time.sleep(AFTER_S)
    assert service.get("/v1/jobs").json()["jobs"] == before


def test_a_tag_with_every_change(service: Running) -> None:
    """GET says 304 while nothing has changed; with wait, it answers as soon as something has."""
    job = service.post("/pages", {"x": 12}).json()
    url = service.url + job["urls"]["get"]
    seen: list[dict[str, Any]] = []
    tag = ""
    while not seen or seen[-1]["status"] != "succeeded":
        answer = httpx.get(f"{url}?wait=10", headers={"If-None-Match": tag or '"none"'})
        assert answer.status_code == 200
        assert answer.headers["etag"] != tag
        tag = answer.headers["etag"]
        seen.append(answer.json())
    assert len({each["progress"] for each in seen}) == len(seen) > 1
    again = httpx.get(f"{url}?wait=10", headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert httpx.get(url).headers["etag"] == tag


def test_what_was_answered_202_is_on_the_disk(tmp_path: Path) -> None:
    """Killed right behind the answer, the service has the job when it starts again: what ran, and what waited."""
    path = config(tmp_path, {"act": patient()})
    with serving(path) as service:
        with httpx.Client(timeout=20) as http:
            job = http.post(f"{service.url}/act", json={"do": "sleep", "seconds": 0.6}).json()
        service.signal(signal.SIGKILL)
        service.wait_exit()
    with serving(path) as service:
        done = ended(service, job["id"])
        assert (done["status"], done["attempt"], done["output"]["value"]) == ("succeeded", 2, 0.6)


def test_limits_of_an_endpoint(service: Running) -> None:
    """One job at a time though there are two workers; a burst a minute; a key with each."""
    assert_problem(submit(service, "/limited", {"do": "pid"}), 400, "idempotency-key-required")
    sleep = {"do": "sleep", "seconds": 0.2}
    answers = [submit(service, "/limited", sleep, Idempotency_Key=f"k{number}") for number in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert_problem(answers[3], 429, "rate-limited")
    assert 1 <= int(answers[3].headers["retry-after"]) <= 20
    assert submit(service, "/limited", sleep, Idempotency_Key="k0").headers["idempotency-replayed"] == "true"
    ids = [answer.json()["id"] for answer in answers[:3]]
    done = sorted((ended(service, job_id) for job_id in ids), key=lambda job: str(job["started_at"]))
    for first, second in itertools.pairwise(done):
        assert first["finished_at"] <= second["started_at"], "two at the same time"
    assert service.post("/limited", {"do": "pid"}).status_code == 200, "calls have no part in it"
