"""Webhooks over HTTP, to receivers on this machine (docs/webhooks.md)."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import standardwebhooks

from litgen_runtime import WebhookRejected, verify_webhook
from tests.integration.jobs import accepted, ended, submit
from tests.receivers import OLD_SECRET, SECRET, Received, Receiver, Reply, receiving
from tests.services import ROOT, Running, act, assert_problem, config, eventually, serving, square

ENV = {"HOOK_KEYS": f"{SECRET} {OLD_SECRET}"}
_numbers = itertools.count()


def opened(*ports: int, schedule_s: Sequence[float] = (0, 0.2, 0.2), **more: Any) -> dict[str, Any]:
    """Return the table of a service that sends webhooks to this machine."""
    choices = {"secrets": "env:HOOK_KEYS", "allow_http": True, "allow_private": True, "schedule_s": list(schedule_s)}
    return {**choices, "ports": list(ports), **more}


def jobs(command: str, url: str, *arguments: str) -> str:
    """Run a command of `myservice jobs`; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "litgen_runtime", "jobs", command, "--url", url, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


class Hub:
    """One receiver that answers each path as it is told, the last answer again and again."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.receiver: Receiver

    def says(self, _: int, received: Received) -> Reply:
        """Answer."""
        replies = self.replies.get(received.path, [Reply()])
        return replies.pop(0) if len(replies) > 1 else replies[0]

    def url(self, *replies: Reply) -> str:
        """Return a URL that is answered so."""
        path = f"/hook/{next(_numbers)}"
        self.replies[path] = list(replies) or [Reply()]
        return f"http://127.0.0.1:{self.receiver.port}{path}"

    def at(self, url: str, count: int = 1) -> list[Received]:
        """Wait until a URL has been called so often; return the calls."""

        def calls() -> list[Received]:
            return [each for each in self.receiver.received if url.endswith(each.path)]

        assert eventually(lambda: len(calls()) >= count), calls()
        return calls()


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """A receiver."""
    hub = Hub()
    with receiving(hub.says) as hub.receiver:
        yield hub


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a service keeps its jobs in."""
    return tmp_path_factory.mktemp("hooks") / "var"


@pytest.fixture(scope="module")
def service(hub: Hub, store: Path) -> Iterator[Running]:
    """A service that sends webhooks to the receiver."""
    endpoints = {"square": square(jobs=True), "act": act(jobs=True)}
    path = config(store.parent, endpoints, webhooks=opened(hub.receiver.port))
    with serving(path, env=ENV) as running:
        yield running


def deliveries(service: Running, job_id: str) -> list[dict[str, Any]]:
    """Ask after the webhooks of a job."""
    found: list[dict[str, Any]] = service.get(f"/v1/jobs/{job_id}/deliveries").json()["deliveries"]
    return found


def delivery(service: Running, job_id: str, status: str) -> dict[str, Any]:
    """Wait until the one webhook of a job stands there."""
    assert eventually(lambda: [each["status"] for each in deliveries(service, job_id)] == [status]), deliveries(
        service, job_id
    )
    return deliveries(service, job_id)[0]


def test_a_webhook(service: Running, hub: Hub) -> None:
    """It tells of the job's end, is signed with every key, and is told of itself."""
    url = hub.url()
    job_id = accepted(service, "/square", {"x": 3}, Webhook_Url=url)
    (received,) = hub.at(url)
    for secret in (SECRET, OLD_SECRET):
        told = standardwebhooks.Webhook(secret).verify(received.body, received.headers)
        assert verify_webhook(received.headers, received.body, secret) == received.webhook_id
    assert told["type"] == "job.succeeded"
    assert told["data"]["job"] == service.get(told["data"]["job"]["urls"]["get"]).json()
    assert told["data"]["job"]["output"] == {"x": 9}
    assert told["timestamp"] == told["data"]["job"]["finished_at"]
    found = delivery(service, job_id, "delivered")
    assert (found["id"], found["job_id"], found["url"]) == (received.webhook_id, job_id, url)
    assert (found["attempts"], found["last_status"], found["last_error"]) == (1, 204, None)
    assert found["next_attempt_at"] is None


def test_both_events(service: Running, hub: Hub) -> None:
    """Who asks for it is told of the beginning too; a failure is an end."""
    url = hub.url()
    job_id = accepted(
        service, "/act", {"do": "raise", "text": "x"}, Webhook_Url=url, Webhook_Events="started,completed"
    )
    told = {each.document["type"]: each.document["data"]["job"] for each in hub.at(url, 2)}
    assert (told["job.started"]["status"], told["job.failed"]["status"]) == ("running", "failed")
    assert told["job.failed"]["error"]["code"] == "predict-failed"
    assert [each["type"] for each in deliveries(service, job_id)] == ["job.started", "job.failed"]


def test_a_canceled_job(service: Running, hub: Hub) -> None:
    """That a job was canceled is told too."""
    url = hub.url()
    blocking = accepted(service, "/act", {"do": "sleep", "seconds": 1})
    job_id = accepted(service, "/act", {"do": "pid"}, Webhook_Url=url)
    service.post(f"/v1/jobs/{job_id}/cancel")
    assert hub.at(url)[0].document["type"] == "job.canceled"
    ended(service, blocking)


def test_a_large_result_is_a_link(service: Running, hub: Hub) -> None:
    """What has more than 20 kB is fetched by whoever wants it."""
    url = hub.url()
    accepted(service, "/act", {"do": "echo", "text": "x" * 30_000}, Webhook_Url=url)
    job = hub.at(url)[0].document["data"]["job"]
    assert (job["status"], job["output"]) == ("succeeded", None)
    assert len(service.get(job["urls"]["result"]).content) > 30_000


def test_tried_again(service: Running, hub: Hub) -> None:
    """The same webhook, signed afresh, until a 2xx."""
    url = hub.url(Reply(500), Reply(404), Reply(200))
    job_id = accepted(service, "/square", {"x": 3}, Webhook_Url=url)
    received = hub.at(url, 3)
    assert len({each.webhook_id for each in received}) == 1
    assert len({each.body for each in received}) == 1
    for each in received:
        standardwebhooks.Webhook(SECRET).verify(each.body, each.headers)
    assert delivery(service, job_id, "delivered")["attempts"] == 3


def test_given_up_and_sent_again(service: Running, hub: Hub) -> None:
    """After the schedule it is dead, which the log says; redelivered, it is the same webhook."""
    url = hub.url(Reply(500), Reply(500), Reply(500), Reply(200))
    job_id = accepted(service, "/square", {"x": 3}, Webhook_Url=url)
    found = delivery(service, job_id, "dead")
    assert (found["attempts"], found["last_status"], found["last_error"]) == (3, 500, "it answers 500")
    service.wait_log(f"webhook {found['id']} of {job_id}")
    answer = service.post(f"/v1/deliveries/{found['id']}/redeliver")
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    assert delivery(service, job_id, "delivered")["attempts"] == 4
    assert len({each.webhook_id for each in hub.at(url, 4)}) == 1
    assert service.post(f"/v1/deliveries/{found['id']}/redeliver").status_code == 202, "what was delivered too"
    assert len(hub.at(url, 5)) == 5


def test_the_command(service: Running, hub: Hub) -> None:
    """`jobs deliveries` lists them, `jobs redeliver` sends what was given up again, by its own id or by its job's."""
    url = hub.url(Reply(500), Reply(500), Reply(500), Reply(204))
    job_id = accepted(service, "/square", {"x": 3}, Webhook_Url=url)
    found = delivery(service, job_id, "dead")
    listed = jobs("deliveries", service.url, job_id).splitlines()
    assert listed[0].split() == ["ID", "TYPE", "STATUS", "ATTEMPTS", "LAST", "NEXT", "IN", "URL"]
    assert listed[1].split() == [found["id"], "job.succeeded", "dead", "3", "it", "answers", "500", url]
    again = f"{found['id']}: job.succeeded of {job_id} is to be sent again; last time: it answers 500\n"
    assert jobs("redeliver", service.url, job_id) == again
    assert delivery(service, job_id, "delivered")["attempts"] == 4
    assert jobs("redeliver", service.url, job_id) == f"{job_id}: nothing was given up\n"
    assert "404 not-found" in jobs("redeliver", service.url, f"msg_{'0' * 26}")


def test_again_with_its_webhook(service: Running, hub: Hub) -> None:
    """A job that is done again tells whoever was told of the first one, of the same events."""
    url = hub.url()
    job_id = accepted(service, "/act", {"do": "raise"}, Webhook_Url=url, Webhook_Events="started, completed")
    assert ended(service, job_id)["status"] == "failed"
    new = service.post(f"/v1/jobs/{job_id}/retry").json()["id"]
    assert ended(service, new)["status"] == "failed"
    told = [(each.document["data"]["job"]["id"], each.document["type"]) for each in hub.at(url, 4)]
    assert sorted(told) == sorted((each, kind) for each in (job_id, new) for kind in ("job.started", "job.failed"))


def test_secrets_that_change(tmp_path: Path) -> None:
    """A file of secrets is read again when it has changed; a broken one changes nothing, nor with a new process."""
    secrets = tmp_path / "secrets"
    secrets.write_text(OLD_SECRET)
    with receiving() as receiver:
        choices = opened(receiver.port, secrets="file:secrets")
        with serving(config(tmp_path, {"square": square(jobs=True)}, webhooks=choices)) as service:

            def is_signed_with(secret: str) -> bool:
                delivery(service, accepted(service, "/square", {"x": 3}, Webhook_Url=receiver.url), "delivered")
                received = receiver.received[-1]
                try:
                    return bool(verify_webhook(received.headers, received.body, secret))
                except WebhookRejected:
                    return False

            assert is_signed_with(OLD_SECRET)
            assert not is_signed_with(SECRET)
            secrets.write_text(f"{SECRET}\n")
            service.wait_log("secrets of webhooks: 1, read from file:")
            assert eventually(lambda: is_signed_with(SECRET))
            assert not is_signed_with(OLD_SECRET)
            secrets.write_text("nothing of use")
            os.kill(service.http_pid, signal.SIGKILL)
            service.wait_log("The secrets that were read before stay valid.")
            assert eventually(lambda: service.get("/readyz").status_code == 200)
            assert is_signed_with(SECRET)
            assert "nothing of use" not in service.log()


def test_gone(service: Running, hub: Hub) -> None:
    """A receiver that says 410 is not asked again."""
    url = hub.url(Reply(410))
    job_id = accepted(service, "/square", {"x": 3}, Webhook_Url=url)
    assert delivery(service, job_id, "dead")["attempts"] == 1
    assert len(hub.at(url)) == 1


def test_retry_after(service: Running, hub: Hub) -> None:
    """A receiver may say when to come again."""
    url = hub.url(Reply(503, {"Retry-After": "2"}), Reply(200))
    accepted(service, "/square", {"x": 3}, Webhook_Url=url)
    first, second = hub.at(url, 2)
    assert 1.9 < second.at - first.at < 4


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(service: Running, hub: Hub, status: int) -> None:
    """A redirect is a failure, and where it leads is not called."""
    elsewhere = hub.url()
    url = hub.url(Reply(status, {"Location": elsewhere}))
    job_id = accepted(service, "/square", {"x": 3}, Webhook_Url=url)
    assert delivery(service, job_id, "dead")["last_error"] == "it redirects"
    assert not [each for each in hub.receiver.received if elsewhere.endswith(each.path)]


def test_a_talkative_receiver(service: Running, hub: Hub) -> None:
    """Of an answer of megabytes 64 kB are read; it counts as what its status says."""
    job_id = accepted(service, "/square", {"x": 3}, Webhook_Url=hub.url(Reply(200, body=b"x" * 5_000_000)))
    assert delivery(service, job_id, "delivered")["attempts"] == 1


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("no url", 400, "invalid-header"),
        ("http://user:secret@127.0.0.1/", 400, "invalid-header"),
        ("ftp://example.com/", 422, "webhook-url-rejected"),
        ("https://example.com:22/", 422, "webhook-url-rejected"),
        ("https://169.254.169.254/latest/meta-data", 422, "webhook-url-rejected"),
        ("https://nothing.invalid/", 422, "webhook-url-rejected"),
    ],
)
def test_urls_that_are_refused(service: Running, hub: Hub, url: str, status: int, code: str) -> None:
    """No job is accepted that could not be told of; a secret in a URL is in no answer."""
    before = service.get("/v1/jobs?limit=1").json()["jobs"]
    url = url.replace("https://169", "http://169").replace("254/", f"254:{hub.receiver.port}/")
    problem = assert_problem(submit(service, "/square", {"x": 3}, Webhook_Url=url), status, code)
    assert "secret" not in problem["detail"]
    assert service.get("/v1/jobs?limit=1").json()["jobs"] == before


def test_events_that_there_are_not(service: Running, hub: Hub) -> None:
    """A word that is no event is refused."""
    answer = submit(service, "/square", {"x": 3}, Webhook_Url=hub.url(), Webhook_Events="finished")
    assert_problem(answer, 400, "invalid-header")


def test_what_is_not_there(service: Running) -> None:
    """Other paths and methods say so."""
    assert_problem(service.get("/v1/deliveries"), 404, "not-found")
    assert_problem(service.get(f"/v1/jobs/job_{'0' * 26}/deliveries"), 404, "not-found")
    assert_problem(service.post(f"/v1/deliveries/msg_{'0' * 26}/redeliver"), 404, "not-found")
    assert_problem(service.get(f"/v1/deliveries/msg_{'0' * 26}/redeliver"), 405, "method-not-allowed")
    assert_problem(service.post(f"/v1/jobs/job_{'0' * 26}/deliveries"), 405, "method-not-allowed")


def test_secrets_stay_where_they_are(service: Running, hub: Hub, store: Path) -> None:
    """Neither the log nor the store nor a worker has them."""
    for pid in service.worker_pids():
        assert b"HOOK_KEYS" not in Path(f"/proc/{pid}/environ").read_bytes()
    found = subprocess.run(["grep", "-rlF", SECRET[8:], store], capture_output=True, text=True, check=False)
    assert (found.stdout, found.returncode) == ("", 1)
    url = hub.url(Reply(500))
    delivery(service, accepted(service, "/square", {"x": 3}, Webhook_Url=url), "dead")
    assert SECRET[8:] not in service.log()


def test_whose_webhooks_they_are(tmp_path: Path) -> None:
    """Nobody but whoever handed a job in asks after its webhooks or has them sent again."""
    alice, bob = ({"X-API-Key": name * 20} for name in ("a", "b"))
    env = {**ENV, "KEYS": f"alice:{'a' * 20} bob:{'b' * 20}"}
    with receiving() as receiver:
        choices, auth = opened(receiver.port), {"keys": "env:KEYS"}
        path = config(tmp_path, {"square": square(jobs=True)}, webhooks=choices, auth=auth)
        with serving(path, env=env) as service:
            headers = {"Prefer": "respond-async", "Webhook-Url": receiver.url, **alice}
            job_id = service.post("/square", {"x": 3}, headers=headers).json()["id"]
            assert eventually(lambda: receiver.received)
            url = f"/v1/deliveries/{receiver.received[0].webhook_id}/redeliver"
            assert_problem(httpx.get(f"{service.url}/v1/jobs/{job_id}/deliveries", headers=bob), 404, "not-found")
            assert_problem(httpx.get(f"{service.url}/v1/jobs/{job_id}/deliveries"), 401, "unauthorized")
            assert_problem(service.post(url, headers=bob), 404, "not-found")
            assert_problem(service.post(url), 401, "unauthorized")
            assert httpx.get(f"{service.url}/v1/jobs/{job_id}/deliveries", headers=alice).status_code == 200
            assert service.post(url, headers=alice).status_code == 202


def test_webhooks_that_are_off(tmp_path: Path) -> None:
    """Who asks for one is told what turns them on; aiohttp is not imported."""
    with serving(config(tmp_path, {"square": square(jobs=True)})) as service:
        refused = submit(service, "/square", {"x": 3}, Webhook_Url="https://example.com/")
        assert "webhooks.secrets" in assert_problem(refused, 422, "webhook-url-rejected")["detail"]
        job_id = accepted(service, "/square", {"x": 3})
        assert deliveries(service, job_id) == []
        assert "aiohttp" not in Path(f"/proc/{service.http_pid}/maps").read_text()


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({}, "there is no such variable"),
        ({"HOOK_KEYS": ""}, "which holds none"),
        ({"HOOK_KEYS": f"{SECRET},whsec_tooShortToBeAKey"}, "secret 2 there is"),
    ],
)
def test_secrets_that_are_none(tmp_path: Path, env: dict[str, str], says: str) -> None:
    """The service does not start, and says which without saying what."""
    path = config(tmp_path, {"square": square(jobs=True)}, webhooks=opened(443))
    with serving(path, env=env, wait_ready=False) as service:
        assert service.wait_exit() == 3
        assert says in service.log()
        assert "tooShort" not in service.log()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]", "0x7f000001"])
def test_inside_is_closed(closed: tuple[Running, Receiver], host: str) -> None:
    """Unless the operator opens it nothing of this network is called, nor is told why."""
    service, receiver = closed
    refused = submit(service, "/square", {"x": 3}, Webhook_Url=f"http://{host}:{receiver.port}/hook")
    unknown = submit(service, "/square", {"x": 3}, Webhook_Url=f"http://nothing.invalid:{receiver.port}/hook")
    problem = assert_problem(refused, 422, "webhook-url-rejected")
    assert problem["detail"] == unknown.json()["detail"]
    assert receiver.connections == 0


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Receiver]]:
    """A service that may call public addresses only, and a listener on this machine."""
    with receiving() as receiver:
        choices = opened(receiver.port, allow_private=False)
        path = config(tmp_path_factory.mktemp("closed"), {"square": square(jobs=True)}, webhooks=choices)
        with serving(path, env=ENV) as running:
            yield running, receiver


def test_a_receiver_with_a_certificate(tmp_path: Path) -> None:
    """Over TLS, to a name that its certificate holds; a receiver whose certificate nobody vouches for hears nothing."""
    certificate, key = _certificate(tmp_path)
    with receiving(certificate=(certificate, key)) as receiver:
        url = f"https://localhost:{receiver.port}/hook"
        path = config(tmp_path, {"square": square(jobs=True)}, webhooks=opened(receiver.port, schedule_s=[0]))
        with serving(path, env=ENV) as service:
            job_id = accepted(service, "/square", {"x": 3}, Webhook_Url=url)
            assert delivery(service, job_id, "dead")["last_error"] == "its certificate is not valid"
            assert receiver.received == []
        with serving(path, env={**ENV, "SSL_CERT_FILE": str(certificate)}) as service:
            delivery(service, accepted(service, "/square", {"x": 3}, Webhook_Url=url), "delivered")


def _certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run(["openssl", *words.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key
