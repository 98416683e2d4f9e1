"""`myservice jobs` against a running service (docs/jobs.md)."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.jobs import accepted, ended, job_of, stands
from tests.services import ROOT, Running, act, assert_problem, config, endpoint, serving

BYTES = "builtins:bytes"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A service.toml of endpoints that take jobs."""
    endpoints = {
        "act": act(jobs=True, repeatable=True),
        "later": endpoint("actions:ActLater", "/later", jobs=True, timeout_s=600.0),
        "reversed": endpoint("uploads:Reversed", "/reversed", jobs=True, batching={"max_size": 4})
        | {"request": BYTES, "response": BYTES},
    }
    return config(tmp_path, endpoints, jobs={"max_attempts": 1})


@pytest.fixture
def service(path: Path) -> Iterator[Running]:
    """It, running."""
    with serving(path) as running:
        yield running


def jobs(command: str, *arguments: object, key: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command."""
    environment = {name: value for name, value in os.environ.items() if name != "LITGEN_API_KEY"}
    return subprocess.run(
        [sys.executable, "-m", "litgen_runtime", "jobs", command, *map(str, arguments)],
        cwd=ROOT,
        env=environment | ({} if key is None else {"LITGEN_API_KEY": key}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_listing_and_showing(service: Running) -> None:
    """A table for people, JSON for programs, and what a model has said moves no cursor."""
    good = accepted(service, "/act", {"do": "pid"})
    bad = accepted(service, "/act", {"do": "http-error", "number": 429, "text": "\x1b[2Jslow \x07down"})
    ended(service, good)
    ended(service, bad)
    done = jobs("list", "--url", service.url)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["ID", "ENDPOINT", "STATUS", "ATTEMPT", "AGE", "TOOK", "PROGRESS"]
    assert [line.split()[:4] for line in lines[1:]] == [[bad, "act", "failed", "1"], [good, "act", "succeeded", "1"]]
    failed = json.loads(jobs("list", "--url", service.url, "--status", "failed", "--json").stdout)
    assert [job["id"] for job in failed] == [bad]
    shown = jobs("show", "--url", service.url, bad).stdout
    assert "status:              failed" in shown
    assert "slow ·down" in shown
    assert json.loads(jobs("show", "--url", service.url, good, "--json").stdout)["id"] == good


def test_canceling_and_again(service: Running) -> None:
    """What failed is done again as a new job, once however often it is asked for; the old one stays as it was."""
    held = accepted(service, "/later", {"do": "", "seconds": 600})
    assert stands(service, held, "running")
    waiting = [accepted(service, "/later", {"do": "", "seconds": 0}, Job_TTL="900") for _ in range(2)]
    done = jobs("cancel", "--url", service.url, waiting[1])
    assert (done.returncode, done.stdout) in ((0, f"{waiting[1]}: canceled\n"), (0, f"{waiting[1]}: told to stop\n"))
    service.post(f"/v1/jobs/{held}/cancel")
    before = ended(service, waiting[1])
    assert before["status"] == "canceled"
    first, second = (jobs("retry", "--url", service.url, waiting[1]).stdout for _ in range(2))
    new = first.split()[3].rstrip(",")
    assert new in second
    assert new != waiting[1]
    assert ended(service, new)["status"] == "succeeded"
    assert job_of(service, waiting[1]) == before
    refused = jobs("retry", "--url", service.url, ended(service, waiting[0])["id"])
    assert refused.returncode == 1
    assert "409 job-finished: The job has succeeded" in refused.stderr
    assert_problem(service.post(f"/v1/jobs/job_{'0' * 26}/retry"), 404, "not-found")


def test_a_large_one_again(service: Running) -> None:
    """A body that stands in a file is one of the new job as well."""
    data = bytes(range(256)) * 12_000
    headers = {"Prefer": "respond-async", "Content-Type": "application/octet-stream", "Job-TTL": "0.001"}
    accepted(service, "/act", {"do": "sleep", "seconds": 1})
    blocked = [httpx.post(f"{service.url}/reversed", content=data, headers=headers).json()["id"] for _ in range(12)]
    status = {job_id: ended(service, job_id)["status"] for job_id in blocked}
    expired = [job_id for job_id, each in status.items() if each == "expired"]
    assert expired, "with a thousandth of a second, one at least"
    new = service.post(f"/v1/jobs/{expired[0]}/retry").json()
    service.post(f"/v1/jobs/{new['id']}/cancel")
    assert ended(service, new["id"])["status"] in ("succeeded", "expired", "canceled")


def test_purging(service: Running) -> None:
    """What has ended goes, as far as it was meant; what has not stays."""
    good = accepted(service, "/act", {"do": "pid"})
    bad = accepted(service, "/act", {"do": "raise"})
    for job_id in (good, bad):
        ended(service, job_id)
    held = accepted(service, "/later", {"do": "", "seconds": 600})
    assert jobs("purge", "--url", service.url, "--older-than", 3600, "--yes").stdout == "nothing to delete\n"
    assert jobs("purge", "--url", service.url).returncode == 1, "nobody says yes"
    assert jobs("purge", "--url", service.url, "--status", "failed", "--yes").stdout == "deleted 1 jobs\n"
    assert_problem(service.get(f"/v1/jobs/{bad}"), 404, "not-found")
    assert jobs("purge", "--url", service.url, "--yes").stdout == "deleted 1 jobs\n"
    assert job_of(service, held)["status"] == "running"
    service.post(f"/v1/jobs/{held}/cancel")
    assert ended(service, held)["status"] == "canceled"


def test_watching(service: Running) -> None:
    """A live view has what waits and runs, and ends with Ctrl-C."""
    held = accepted(service, "/later", {"do": "", "seconds": 600})
    command = [sys.executable, "-m", "litgen_runtime", "jobs", "list", "--watch", "--url", service.url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        time.sleep(4)
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=10)
    service.post(f"/v1/jobs/{held}/cancel")
    assert "later: 1 running, 0 waiting" in shown
    assert shown.count("ENDPOINT") >= 2


def test_what_cannot_be(service: Running, path: Path, tmp_path: Path) -> None:
    """One sentence that says what to do, exit 1."""
    for done, words in (
        (jobs("show", "--url", service.url, "job_x"), "404 not-found"),
        (jobs("list", "--url", "http://127.0.0.1:1"), "http://127.0.0.1:1 does not answer"),
        (jobs("list", "--config", path), "service.port is 0"),
        (jobs("list", "--url", "nonsense"), "--url is 'nonsense'; expected"),
        (jobs("list", "--url", service.url, "--key-file", tmp_path / "none"), "cannot be read"),
        (jobs("list", "--config", tmp_path / "none.toml"), "none.toml"),
    ):
        assert done.returncode == 1
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_with_a_key(tmp_path: Path) -> None:
    """The key of the environment, or of a file, is shown."""
    key = "a" * 32
    path = config(tmp_path, {"act": act(jobs=True)}, auth={"keys": "env:API_KEYS"})
    with serving(path, env={"API_KEYS": f"alice:{key}"}) as service:
        headers = {"Prefer": "respond-async", "Authorization": f"Bearer {key}"}
        job_id = httpx.post(f"{service.url}/act", json={"do": "pid"}, headers=headers).json()["id"]
        assert job_id in jobs("list", "--url", service.url, key=key).stdout
        (tmp_path / "key").write_text(key + "\n")
        assert job_id in jobs("list", "--url", service.url, "--key-file", tmp_path / "key").stdout
        refused = jobs("list", "--url", service.url)
        assert refused.returncode == 1
        assert "401 unauthorized" in refused.stderr
        assert "LITGEN_API_KEY" in refused.stderr


def test_backup(path: Path, tmp_path: Path) -> None:
    """A copy that is taken under load is whole: a service that starts on it has every job of its moment."""
    data = bytes(range(256)) * 1000
    headers = {"Prefer": "respond-async", "Content-Type": "application/octet-stream"}
    with serving(path) as service:
        first = httpx.post(f"{service.url}/reversed", content=data, headers=headers).json()["id"]
        ended(service, first)
        stopped = threading.Event()

        def load() -> None:
            with httpx.Client() as http:
                while not stopped.is_set():
                    answer = http.post(f"{service.url}/reversed", content=data, headers=headers)
                    url = service.url + answer.headers["location"]
                    if http.get(f"{url}?wait=5").json()["status"] == "succeeded":
                        http.delete(url)

        thread = threading.Thread(target=load)
        thread.start()
        try:
            copies = [tmp_path / f"copy{number}.db" for number in range(3)]
            for copy in copies:
                done = jobs("backup", "--config", path, copy)
                assert done.returncode == 0, done.stderr
        finally:
            stopped.set()
            thread.join()
        again = jobs("backup", "--config", path, copies[0])
        assert again.returncode == 1
        assert "is there already" in again.stderr
    assert jobs("backup", "--config", path, tmp_path / "still.db").returncode == 0, "nor has it to run"
    done = jobs("restore", "--config", path, copies[1])
    assert (done.returncode, done.stdout.splitlines()[0].split(":")[0]) == (0, str(tmp_path / "var" / "jobs.db"))
    assert f"What stood there is in {tmp_path / 'var' / 'jobs.db.replaced-'}" in done.stdout
    with serving(path) as service:
        refused = jobs("restore", "--config", path, copies[0])
        assert (refused.returncode, "belongs to another process" in refused.stderr) == (1, True)
        assert httpx.get(f"{service.url}/v1/jobs/{first}/result").content == data[::-1]
        for job in service.get("/v1/jobs").json()["jobs"]:
            ended(service, job["id"])
