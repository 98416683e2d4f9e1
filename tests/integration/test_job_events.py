"""What jobs say while they run, and who listens (docs/jobs.md)."""

import concurrent.futures
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import wire
from tests.integration.jobs import accepted, ended, job_of, submit
from tests.services import Running, assert_problem, endpoint, eventually, serving
from tests.services import config as config_of


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service whose models talk."""
    endpoints = {
        "pages": endpoint("talking:Pages", "/pages", "Number", "Number", jobs=True),
        "flood": endpoint("talking:Flood", "/flood", "Number", "Number", jobs=True),
        "each": endpoint(
            "talking:Each", "/each", "Echo", "Echo", jobs=True, batching={"max_size": 4, "max_wait_s": 0.5}
        ),
    }
    with serving(config_of(tmp_path_factory.mktemp("events"), endpoints, jobs={"max_attempts": 1})) as running:
        yield running


def test_progress(service: Running) -> None:
    """The record says how far the job is while it runs, and the last word stays."""
    job_id = accepted(service, "/pages", {"x": 20})
    assert eventually(lambda: 0.0 < (job_of(service, job_id)["progress"] or 0.0) < 1.0)
    assert job_of(service, job_id)["note"].startswith("page ")
    job = ended(service, job_id)
    assert (job["progress"], job["note"]) == (1.0, "page 20 of 20")


def test_progress_of_a_request(service: Running) -> None:
    """In a request that is no job it does nothing."""
    assert service.post("/pages", {"x": 2}).json() == {"x": 2}


def test_progress_in_a_batch(service: Running) -> None:
    """Each job has what is said of its own place, also when the batch has failed and is run in parts."""
    ids = {text: accepted(service, "/each", {"text": text}) for text in ("a", "b", "bad", "d")}
    jobs = {text: ended(service, job_id) for text, job_id in ids.items()}
    assert {text: job["note"] for text, job in jobs.items()} == {text: text for text in ids}
    assert [job["status"] for job in jobs.values()] == ["succeeded", "succeeded", "failed", "succeeded"]


def test_a_flood(service: Running) -> None:
    """Who says very much slows nobody down, and its last word is heard."""
    flood = accepted(service, "/flood", {"x": 3})
    began = time.monotonic()
    assert submit(service, "/pages", {"x": 1}, wait=10).json() == {"x": 1}
    assert time.monotonic() - began < 2.5
    job = ended(service, flood)
    assert (job["progress"], job["note"]) == (1.0, "all said")


class Listener:
    """Reads a stream of events."""

    def __init__(self, service: Running, job_id: str, last: str | None = None) -> None:
        self.url = f"{service.url}/v1/jobs/{job_id}/events"
        self.headers = {} if last is None else {"Last-Event-ID": last}
        self.events: list[dict[str, Any]] = []

    def listen(self, count: int | None = None) -> list[dict[str, Any]]:
        """Return the events: all until the stream ends, or so many."""
        with httpx.stream("GET", self.url, headers=self.headers, timeout=30) as answer:
            assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
            event: dict[str, Any] = {}
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name in ("id", "event"):
                    event[name] = value
                elif name == "data":
                    self.events.append(event | json.loads(value))
                    event = {}
                if len(self.events) == count:
                    break
        return self.events


def test_events(service: Running) -> None:
    """All that has happened, then what happens, until the end."""
    job_id = accepted(service, "/pages", {"x": 8})
    events = Listener(service, job_id).listen()
    kinds = [event["event"] for event in events]
    assert kinds[:2] == ["queued", "running"]
    assert kinds[-1] == "succeeded"
    assert [int(event["id"]) for event in events] == list(range(len(events)))
    assert [event["text"] for event in events if event["event"] == "log"] == [f"reading page {n + 1}" for n in range(8)]
    shares = [event["progress"] for event in events if event["event"] == "progress"]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) < 8, "they are gathered"
    assert {event["status"] for event in events if "status" in event} == {"queued", "running", "succeeded"}
    assert events == Listener(service, job_id).listen(), "whoever comes late has the same"


def test_resuming(service: Running) -> None:
    """A client that was cut off goes on where it was, without loss or repeats."""
    job_id = accepted(service, "/pages", {"x": 12})
    seen: list[dict[str, Any]] = []
    while not seen or seen[-1]["event"] != "succeeded":
        seen += Listener(service, job_id, seen[-1]["id"] if seen else None).listen(2)
    assert seen == Listener(service, job_id).listen()
    answer = httpx.get(f"{service.url}/v1/jobs/{job_id}/events", headers={"Last-Event-ID": seen[-1]["id"]})
    assert answer.status_code == 204, "there is nothing more to come, and browsers ask no more"
    bad = httpx.get(f"{service.url}/v1/jobs/{job_id}/events", headers={"Last-Event-ID": "x"})
    assert_problem(bad, 400, "invalid-header")


def test_many_listeners(service: Running) -> None:
    """All of them hear the same."""
    job_id = accepted(service, "/pages", {"x": 10})
    listeners = [Listener(service, job_id) for _ in range(30)]
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        heard = list(pool.map(Listener.listen, listeners))
    assert all(events == heard[0] for events in heard)


def test_listeners_that_leave_or_do_not_read(service: Running) -> None:
    """They cost nothing but their connection, and hold nobody up."""
    job_id = accepted(service, "/flood", {"x": 3})
    before = _connections(service)
    deaf = []
    for number in range(40):
        sock = socket.create_connection(("127.0.0.1", service.port))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(wire.get(f"/v1/jobs/{job_id}/events"))
        if number % 2:
            deaf.append(sock)
        else:
            sock.close()
    assert Listener(service, job_id).listen()[-1]["event"] == "succeeded"
    for sock in deaf:
        sock.close()
    assert eventually(lambda: _connections(service) <= before + 1)


def test_events_of_what_is_not_there(service: Running) -> None:
    """404, and for another method 405; HEAD has the headers alone."""
    job_id = accepted(service, "/pages", {"x": 1})
    assert_problem(service.get(f"/v1/jobs/job_{'0' * 26}/events"), 404, "not-found")
    assert_problem(service.post(f"/v1/jobs/{job_id}/events"), 405, "method-not-allowed")
    head = httpx.head(f"{service.url}/v1/jobs/{job_id}/events")
    assert (head.status_code, head.content) == (200, b"")
    ended(service, job_id)


def test_a_failure_says_why(service: Running) -> None:
    """The last event of what failed has the problem."""
    job_id = accepted(service, "/each", {"text": "bad"})
    last = Listener(service, job_id).listen()[-1]
    assert (last["event"], last["error"]) == ("failed", job_of(service, job_id)["error"])
    assert last["error"]["code"] == "predict-failed"
    assert "Traceback" not in json.dumps(last), "what the model said is in the log only"


def test_a_drain_ends_the_streams(tmp_path: Path) -> None:
    """Who listens is let go, and what runs is finished."""
    pages = endpoint("talking:Pages", "/pages", "Number", "Number", jobs=True)
    with serving(config_of(tmp_path, {"pages": pages})) as service:
        job_id = accepted(service, "/pages", {"x": 20})
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            heard = pool.submit(Listener(service, job_id).listen)
            assert eventually(lambda: job_of(service, job_id)["progress"])
            service.signal(signal.SIGTERM)
            events = heard.result(timeout=1.5)
        assert events[-1]["event"] in ("progress", "log")
        assert service.wait_exit() == 0


def _connections(service: Running) -> float:
    (line,) = [line for line in service.get("/metrics").text.splitlines() if line.startswith("litgen_connections ")]
    return float(line.split()[1])


def test_events_outlive_processes(tmp_path: Path) -> None:
    """After the death of a worker, and of the HTTP process, the numbers go on, and nothing is told twice."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    pages = endpoint("talking:Pages", "/pages", "Number", "Number", jobs=True)
    with serving(config_of(tmp_path, {"pages": pages}, {"port": port})) as service:
        job_id = accepted(service, "/pages", {"x": 25})
        seen: list[dict[str, Any]] = []
        for victim in ("worker", "http"):
            assert eventually(lambda: job_of(service, job_id)["progress"])
            seen += Listener(service, job_id, seen[-1]["id"] if seen else None).listen(3)
            os.kill(service.worker_pids()[0] if victim == "worker" else service.http_pid, signal.SIGKILL)
        assert eventually(lambda: _status(service, job_id) == "running", 30.0)
        seen += Listener(service, job_id, seen[-1]["id"]).listen()
        assert [int(event["id"]) for event in seen] == list(range(len(seen)))
        assert [event["event"] for event in seen].count("running") == 2, "the process's death is another attempt"
        assert (seen[-1]["event"], job_of(service, job_id)["progress"]) == ("succeeded", 1.0)


def _status(service: Running, job_id: str) -> str | None:
    try:
        return str(job_of(service, job_id)["status"])
    except httpx.HTTPError:
        return None
