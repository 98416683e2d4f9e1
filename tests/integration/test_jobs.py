"""Jobs over HTTP (docs/jobs.md)."""

import concurrent.futures
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import wire
from tests.integration.jobs import accepted, ended, job_of, stands, submit
from tests.services import Running, act, assert_problem, config, endpoint, eventually, serving, square


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service whose endpoints take jobs, but for one."""
    endpoints = {
        "square": square(jobs=True),
        "act": act(jobs=True, repeatable=True),
        "later": endpoint("actions:ActLater", "/later", jobs=True, timeout_s=600.0),
        "reversed": endpoint("uploads:Reversed", "/reversed", jobs=True, batching={"max_size": 4})
        | {"request": "builtins:bytes", "response": "builtins:bytes"},
        "now": square("/now"),
    }
    with serving(config(tmp_path_factory.mktemp("jobs"), endpoints, jobs={"max_attempts": 2})) as running:
        yield running


def test_a_job(service: Running) -> None:
    """It is accepted, says where it is to be found, and comes to the same bytes as the call."""
    answer = submit(service, "/square", {"x": 3})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == job["urls"]["get"] == f"/v1/jobs/{job['id']}"
    assert (answer.headers["preference-applied"], answer.headers["vary"]) == ("respond-async", "Prefer")
    assert answer.headers["retry-after"]
    assert (job["status"], job["endpoint"], job["attempt"], job["output"]) == ("queued", "square", 0, None)
    done = ended(service, job["id"])
    assert (done["status"], done["attempt"], done["output"], done["error"]) == ("succeeded", 1, {"x": 9}, None)
    assert done["created_at"] <= done["started_at"] <= done["finished_at"] < done["expires_at"]
    result = service.get(job["urls"]["result"])
    called = service.post("/square", {"x": 3})
    assert (result.status_code, result.content) == (200, called.content)
    assert result.headers["content-type"] == called.headers["content-type"]


def test_waiting_for_the_answer_first(service: Running) -> None:
    """With wait the answer comes itself if it is there in time, and a job if it is not."""
    answer = submit(service, "/square", {"x": 4}, wait=10)
    assert (answer.status_code, answer.json()) == (200, {"x": 16})
    began = time.monotonic()
    answer = submit(service, "/act", {"do": "sleep", "seconds": 2}, wait=1)
    assert answer.status_code == 202
    assert 0.9 < time.monotonic() - began < 1.9
    assert answer.json()["status"] == "running"
    assert service.get(f"{answer.json()['urls']['get']}?wait=10").json()["status"] == "succeeded"


def test_who_does_not_ask_gets_an_answer(service: Running) -> None:
    """Without Prefer, with other preferences, and at an endpoint without jobs."""
    assert service.post("/square", {"x": 3}).json() == {"x": 9}
    assert service.post("/square", {"x": 3}, headers={"Prefer": "return=minimal, wait=3"}).json() == {"x": 9}
    assert submit(service, "/now", {"x": 3}).json() == {"x": 9}


def test_bytes_in_and_out(service: Running) -> None:
    """A job of an endpoint of bytes keeps them as they are."""
    headers = {"Prefer": "respond-async", "Content-Type": "application/octet-stream"}
    answer = httpx.post(f"{service.url}/reversed", content=b"\x00\xffabc", headers=headers)
    job = ended(service, answer.json()["id"])
    assert job["output"] is None
    result = service.get(job["urls"]["result"])
    assert (result.content, result.headers["content-type"]) == (b"cba\xff\x00", "application/octet-stream")


def test_what_is_refused_is_no_job(service: Running) -> None:
    """A body, or a header, that is refused has no job."""
    before = service.get("/v1/jobs?limit=1").json()["jobs"]
    assert_problem(submit(service, "/square", {"x": "three"}), 422, "invalid-input")
    assert_problem(submit(service, "/square", {"x": 3, "pad": "x" * 10_000_000}), 413, "payload-too-large")
    assert_problem(submit(service, "/square", {"x": 3}, Job_TTL="soon"), 400, "invalid-header")
    assert_problem(submit(service, "/square", {"x": 3}, Cancel_After="-1"), 400, "invalid-header")
    assert_problem(submit(service, "/square", {"x": 3}, Job_Retry="often"), 400, "invalid-header")
    assert_problem(submit(service, "/square", {"x": 3}, Idempotency_Key="a b"), 400, "invalid-header")
    assert service.get("/v1/jobs?limit=1").json()["jobs"] == before


def test_the_same_key_is_the_same_job(service: Running) -> None:
    """A hundred times at once is one job; another body under the key is refused."""

    def ask(_: int) -> httpx.Response:
        return submit(service, "/square", {"x": 5}, Idempotency_Key="one-key")

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(100)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum(answer.headers.get("idempotency-replayed") == "true" for answer in answers) == 99
    other = submit(service, "/square", {"x": 6}, Idempotency_Key="one-key")
    assert_problem(other, 422, "idempotency-key-reused")
    assert submit(service, "/act", {"do": "pid"}, Idempotency_Key="one-key").status_code == 202, "another route"


def test_canceling(service: Running) -> None:
    """What runs is told and is canceled; what waits is at once; what has ended says so."""
    running = accepted(service, "/later", {"do": "", "seconds": 600})
    assert stands(service, running, "running")
    waiting = [accepted(service, "/later", {"do": "", "seconds": 600}) for _ in range(3)]
    answer = service.post(f"/v1/jobs/{waiting[2]}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    assert service.post(f"/v1/jobs/{running}/cancel").status_code in (200, 202)
    assert ended(service, running)["status"] == "canceled"
    for job_id in waiting[:2]:
        assert service.post(f"/v1/jobs/{job_id}/cancel").status_code in (200, 202)
        assert ended(service, job_id)["status"] == "canceled"
    assert_problem(service.post(f"/v1/jobs/{running}/cancel"), 409, "job-finished")
    assert_problem(service.get(f"/v1/jobs/{running}/result"), 409, "job-canceled")


def test_a_result_beats_a_late_cancel(service: Running) -> None:
    """Code that goes on although it is told to stop has a result."""
    job_id = accepted(service, "/act", {"do": "sleep", "seconds": 1})
    assert stands(service, job_id, "running")
    assert service.post(f"/v1/jobs/{job_id}/cancel").status_code == 202
    job = ended(service, job_id)
    assert job["status"] == "succeeded"
    assert job["cancel_requested_at"] is not None


def test_its_own_time_limits(service: Running) -> None:
    """Cancel-After ends what runs; Job-TTL what has not begun."""
    blocking = accepted(service, "/later", {"do": "", "seconds": 600}, Cancel_After="2.5")
    assert stands(service, blocking, "running")
    held = [accepted(service, "/later", {"do": "", "seconds": 0}, Job_TTL="1") for _ in range(4)]
    assert ended(service, blocking)["status"] == "canceled"
    found = [ended(service, job_id)["status"] for job_id in held]
    assert found[-1] == "expired"
    assert_problem(service.get(f"/v1/jobs/{held[-1]}/result"), 504, "job-not-started")


def test_what_fails_is_tried_again(service: Running) -> None:
    """An exception twice, with a pause between; an error of the owner's, or a wish for no more, once."""
    twice = accepted(service, "/act", {"do": "raise", "text": "broken"})
    once = accepted(service, "/act", {"do": "raise", "text": "broken"}, Job_Retry="none")
    refused = accepted(service, "/act", {"do": "http-error", "number": 429, "text": "slow down"})
    assert [ended(service, each)["attempt"] for each in (twice, once, refused)] == [2, 1, 1]
    assert_problem(service.get(f"/v1/jobs/{twice}/result"), 500, "predict-failed")
    answer = service.get(f"/v1/jobs/{refused}/result")
    assert (answer.status_code, answer.json()["detail"]) == (429, "slow down")
    assert job_of(service, refused)["error"]["detail"] == "slow down"


def test_a_job_that_kills_its_worker(service: Running) -> None:
    """It fails by itself, and others live."""
    poison = accepted(service, "/act", {"do": "die"})
    good = accepted(service, "/act", {"do": "pid"})
    assert ended(service, poison)["error"]["code"] == "kills-workers"
    assert ended(service, good)["status"] == "succeeded"


def test_deleting(service: Running) -> None:
    """What has ended can be forgotten; what has not cannot."""
    job_id = accepted(service, "/act", {"do": "sleep", "seconds": 1})
    assert_problem(httpx.delete(f"{service.url}/v1/jobs/{job_id}"), 409, "job-not-finished")
    ended(service, job_id)
    assert httpx.delete(f"{service.url}/v1/jobs/{job_id}").status_code == 204
    for path in ("", "/result", "/cancel"):
        method = "POST" if path == "/cancel" else "GET"
        assert_problem(httpx.request(method, f"{service.url}/v1/jobs/{job_id}{path}"), 404, "not-found")


def test_listing(service: Running) -> None:
    """The latest first, a page at a time, by status and endpoint."""
    ids = [accepted(service, "/square", {"x": number}) for number in range(5)]
    for job_id in ids:
        ended(service, job_id)
    first = service.get("/v1/jobs?endpoint=square&status=succeeded&limit=3").json()
    assert [job["id"] for job in first["jobs"]] == ids[:1:-1]
    second = service.get(f"/v1/jobs?endpoint=square&status=succeeded&limit=2&cursor={first['next_cursor']}").json()
    assert [job["id"] for job in second["jobs"]] == ids[1::-1]
    for query in ("status=done", "limit=0", "limit=x", f"limit={'9' * 5000}", "wait=3", "cursor=zzz"):
        assert_problem(service.get(f"/v1/jobs?{query}"), 400, "invalid-query")


@pytest.mark.parametrize("path", ["/v1/jobs/nothing", "/v1/jobs/job_" + "0" * 26, "/v1/jobs/", "/v1/jobs/a/b/c"])
def test_what_is_not_there(service: Running, path: str) -> None:
    """Any other path is 404, and says so."""
    assert_problem(service.get(path), 404, "not-found")


def test_clients_go_first(service: Running) -> None:
    """A call is not kept waiting by jobs that came before it."""
    jobs = [accepted(service, "/act", {"do": "sleep", "seconds": 0.3}) for _ in range(8)]
    began = time.monotonic()
    assert service.post("/act", {"do": "pid"}).status_code == 200
    assert time.monotonic() - began < 0.9, "it waited for more than the run that went on"
    for job_id in jobs:
        assert ended(service, job_id)["status"] == "succeeded"


def test_a_client_that_leaves_has_its_job(service: Running) -> None:
    """Whoever hangs up after handing in has handed in, or has not; nothing breaks."""
    before = {job["id"] for job in service.get("/v1/jobs?limit=100").json()["jobs"]}
    with wire.connected(service.port) as client:
        client.send(wire.post("/square", b'{"x": 7}', "Prefer: respond-async, wait=5"))
    assert service.post("/square", {"x": 3}).status_code == 200
    new = [job for job in service.get("/v1/jobs?limit=100").json()["jobs"] if job["id"] not in before]
    for job in new:
        assert ended(service, job["id"])["output"] == {"x": 49}


def test_a_bounded_backlog(tmp_path: Path) -> None:
    """As much as may wait is accepted; the rest is told when to come again, and may then."""
    later = endpoint("actions:ActLater", "/later", jobs=True, timeout_s=600.0)
    with serving(config(tmp_path, {"later": later}, jobs={"max_waiting": 3})) as service:
        answers = []
        for _ in range(12):
            answers.append(submit(service, "/later", {"do": "", "seconds": 3}))
            time.sleep(0.05)
        assert {answer.status_code for answer in answers} == {202, 503}
        refused = next(answer for answer in answers if answer.status_code == 503)
        assert_problem(refused, 503, "queue-full")
        assert refused.headers["retry-after"]
        for answer in answers:
            if answer.status_code == 202:
                service.post(f"/v1/jobs/{answer.json()['id']}/cancel")
        assert eventually(lambda: submit(service, "/later", {"do": "", "seconds": 0}).status_code == 202)


def test_a_store_that_another_service_has(tmp_path: Path) -> None:
    """One service owns a store; a second one says so and does not start."""
    path = config(tmp_path, {"square": square(jobs=True)})
    with serving(path) as service:
        with serving(path, wait_ready=False) as second:
            assert second.wait_exit() == 3
            assert "belongs to another process" in second.log()
            assert "Traceback" not in second.log()
        assert ended(service, accepted(service, "/square", {"x": 2}))["output"] == {"x": 4}


def test_what_is_kept_and_for_how_long(tmp_path: Path) -> None:
    """A result for keep_s; then it is known for remember_s that there was one."""
    times = {"keep_s": 1.0, "remember_s": 2.0}
    with serving(config(tmp_path, {"square": square(jobs=True)}, jobs=times)) as service:
        job_id = accepted(service, "/square", {"x": 2})
        ended(service, job_id)
        url = f"/v1/jobs/{job_id}"
        assert eventually(lambda: service.get(url).status_code == 410)
        assert_problem(service.get(f"{url}/result"), 410, "job-expired")
        assert eventually(lambda: service.get(url).status_code == 404)


def test_large_bodies(service: Running) -> None:
    """A body and a result of megabytes are kept in files, and come back as they were."""
    for size in (100_000, 3_000_000):
        data = bytes(range(256)) * (size // 256)
        headers = {"Prefer": "respond-async", "Content-Type": "application/octet-stream", "Idempotency-Key": f"k{size}"}
        answers = [httpx.post(f"{service.url}/reversed", content=data, headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].json()["id"] == answers[1].json()["id"]
        job = ended(service, answers[0].json()["id"])
        assert service.get(job["urls"]["result"]).content == data[::-1]
        head = httpx.head(service.url + job["urls"]["result"])
        assert (head.headers["content-length"], head.content) == (str(len(data)), b"")


def test_a_slow_download_is_in_flight(service: Running) -> None:
    """A large result that its client is still taking is what a drain waits for."""
    headers = {"Prefer": "respond-async", "Content-Type": "application/octet-stream"}
    answer = httpx.post(f"{service.url}/reversed", content=b"x" * 16_000_000, headers=headers)
    job = ended(service, answer.json()["id"])
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        sock.connect(("127.0.0.1", service.port))
        sock.sendall(wire.get(job["urls"]["result"]))
        assert eventually(lambda: service.get("/health").json()["in_flight"] == 1, 5)
        left = 16_000_000
        while left > 0:
            left -= len(sock.recv(1_000_000))
    assert eventually(lambda: service.get("/health").json()["in_flight"] == 0, 5)


def test_whose_a_job_is(tmp_path: Path) -> None:
    """With keys, a job and its key for retries belong to whoever handed it in; an open endpoint's to everybody."""
    endpoints = {"square": square(jobs=True), "open": square("/open", jobs=True, auth=False)}
    keys = {"alice": "a" * 32, "bob": "b" * 32}
    env = {"API_KEYS": ",".join(f"{name}:{key}" for name, key in keys.items())}
    headers = {name: {"X_API_Key": key} for name, key in keys.items()}
    with serving(config(tmp_path, endpoints, auth={"keys": "env:API_KEYS"}), env=env) as service:
        assert_problem(submit(service, "/square", {"x": 3}), 401, "unauthorized")
        ids = {
            name: submit(service, "/square", {"x": 3}, None, Idempotency_Key="same", **header).json()["id"]
            for name, header in headers.items()
        }
        assert ids["alice"] != ids["bob"]
        url = f"{service.url}/v1/jobs/{ids['alice']}"
        assert httpx.get(f"{url}?wait=10", headers={"X-API-Key": keys["alice"]}).json()["status"] == "succeeded"
        for path in ("", "/result"):
            assert_problem(httpx.get(url + path, headers={"X-API-Key": keys["bob"]}), 404, "not-found")
        assert_problem(httpx.delete(url, headers={"Authorization": f"Bearer {keys['bob']}"}), 404, "not-found")
        assert_problem(httpx.get(url, headers={"X-API-Key": "c" * 32}), 401, "unauthorized")
        listed = httpx.get(f"{service.url}/v1/jobs", headers={"X-API-Key": keys["bob"]}).json()["jobs"]
        assert [job["id"] for job in listed] == [ids["bob"]]
        assert ended(service, accepted(service, "/open", {"x": 3}))["status"] == "succeeded"
        assert_problem(service.get(f"/v1/jobs/{ids['alice']}"), 404, "not-found")
        own = submit(service, "/open", {"x": 3}, None, **headers["alice"]).json()["id"]
        assert httpx.get(f"{service.url}/v1/jobs/{own}", headers={"X-API-Key": keys["alice"]}).status_code == 200
        assert_problem(service.get(f"/v1/jobs/{own}"), 404, "not-found")
        assert submit(service, "/open", {"x": 3}, wait=10, X_API_Key="of nobody").json() == {"x": 9}


def test_jobs_of_an_endpoint_that_takes_no_more(tmp_path: Path) -> None:
    """They are kept, can be canceled, and expire; the service goes on."""
    later = endpoint("actions:ActLater", "/later", jobs=True, timeout_s=600.0)
    both = {"square": square(jobs=True), "later": later}
    with serving(config(tmp_path, both)) as service:
        running = accepted(service, "/later", {"do": "", "seconds": 600})
        assert stands(service, running, "running")
        for _ in range(2):  # what the worker gets ahead of time
            accepted(service, "/later", {"do": "", "seconds": 600})
        late, waiting = (accepted(service, "/later", {"do": "", "seconds": 0}, Job_TTL=ttl) for ttl in ("3", "600"))
        service.signal(signal.SIGKILL)
        service.wait_exit()
    with serving(config(tmp_path, {**both, "later": {**later, "jobs": False}})) as service:
        assert ended(service, late)["status"] == "expired"
        assert service.post(f"/v1/jobs/{waiting}/cancel").json()["status"] == "canceled"
        assert job_of(service, running)["status"] == "failed"
        assert ended(service, accepted(service, "/square", {"x": 3}))["output"] == {"x": 9}
        assert service.log().count("listening") == 1, "the HTTP process ended"
