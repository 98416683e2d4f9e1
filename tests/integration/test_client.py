"""`litgen_runtime.Client`, against a service, and against a listener that says what no service says in time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from litgen_runtime import Client
from litgen_runtime.client import ClientError, NotInTime, Refused, Unreachable
from tests.integration.services.schemas import Number
from tests.services import Running, act, config, endpoint, serving, square

PATIENCE_S = 20.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that is still loading."""
    later = endpoint("actions:ActLater", "/later", jobs=True, sync_to_job_after_s=0.3)
    endpoints = {"square": square(jobs=True), "act": act(jobs=True), "later": later, "now": square("/now")}
    path = config(tmp_path_factory.mktemp("client"), endpoints, jobs={"max_attempts": 1})
    with serving(path, wait_ready=False) as running:
        yield running


@pytest.fixture(scope="module")
def client(service: Running) -> Client:
    """Its client, once it is ready."""
    found = Client(service.url)
    found.wait_ready(PATIENCE_S)
    return found


def test_a_call_and_a_job_have_the_same_answer(client: Client) -> None:
    """As JSON, as a pydantic model, and byte for byte."""
    called = client.call("/square", {"x": 3})
    assert (called.status, called.json(), called.headers["content-type"]) == (200, {"x": 9}, "application/json")
    job = client.submit("/square", Number(x=3), start_within_s=60, cancel_after_s=60)
    assert client.result(job.id, PATIENCE_S).content == called.content
    assert client.job(job.id).has_ended


def test_a_call_that_becomes_a_job_is_waited_for(client: Client) -> None:
    """The service answers 202 after a while; the caller sees the answer."""
    assert client.call("/later", {"do": "wait", "seconds": 0.6}).json()["value"] == "late"


def test_a_key_is_one_job(client: Client) -> None:
    """However often it is handed in; without one, each is another job."""
    jobs = [client.submit("/square", {"x": 4}, key="order-17") for _ in range(2)]
    assert jobs[0].id == jobs[1].id
    assert client.submit("/square", {"x": 4}).id != client.submit("/square", {"x": 4}).id
    with pytest.raises(Refused) as caught:
        client.submit("/square", {"x": 5}, key="order-17")
    assert caught.value.code == "idempotency-key-reused"


def test_a_job_that_fails_has_the_error_of_its_call(client: Client) -> None:
    """Told at once, whatever its status."""
    job = client.submit("/act", {"do": "raise"}, retries=False)
    with pytest.raises(Refused) as caught:
        client.result(job.id, PATIENCE_S)
    assert (caught.value.status, caught.value.code) == (500, "predict-failed")


def test_a_job_that_is_canceled(client: Client) -> None:
    """It ends, has no result, and canceling it again tells that it has ended."""
    job = client.submit("/later", {"do": "wait", "seconds": 30})
    with pytest.raises(NotInTime, match=r"after 0\.2 s"):
        client.wait(job.id, timeout_s=0.2)
    client.cancel(job.id)
    with pytest.raises(Refused) as caught:
        client.result(job.id, PATIENCE_S)
    assert caught.value.code == "job-canceled"
    assert client.cancel(job.id).status == "canceled"


def test_what_cannot_be_done_is_told(client: Client) -> None:
    """An endpoint without jobs, an unknown job, webhooks that are off, a service that is not there."""
    with pytest.raises(ClientError, match="takes no jobs"):
        client.submit("/now", {"x": 1})
    with pytest.raises(Refused, match="404 not-found"):
        client.wait("job_" + "0" * 26)
    with pytest.raises(Refused, match="webhook-url-rejected"):
        client.submit("/square", {"x": 1}, webhook_url="https://hooks.example.com/")
    with pytest.raises(Unreachable, match="Start the service"):
        Client("http://127.0.0.1:9", retry_s=0).call("/square", {"x": 1})
    with pytest.raises(NotInTime, match="not ready within 0 s"):
        Client("http://127.0.0.1:9").wait_ready(0)
    with pytest.raises(ClientError, match="expected the address"):
        Client("localhost:8000")


class Script(BaseHTTPRequestHandler):
    """Answers each request with the next of some answers: a status with headers, or the end of the connection."""

    answers: ClassVar[list[tuple[int, dict[str, str]] | None]] = []
    requests: ClassVar[list[dict[str, str]]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append({name.lower(): value for name, value in self.headers.items()})
        answer = self.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer[0])
        for name, value in {"Content-Length": "0", **answer[1]}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def listening(*answers: tuple[int, dict[str, str]] | None) -> Iterator[Client]:
    """A client of a listener that gives these answers."""
    Script.answers[:], Script.requests[:] = answers, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Script) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Client(f"http://127.0.0.1:{server.server_port}/prefix/", key="lg_secret", retry_s=5)
        server.shutdown()
        thread.join()


def test_a_call_is_not_made_twice_unless_it_may_be() -> None:
    """A connection that ends without an answer: the model may have run."""
    with listening(None, (200, {})) as client:
        with pytest.raises(Unreachable):
            client.call("/square", b"")
        assert client.call("/square", b"").status == 200
    with listening(None, (200, {})) as client:
        assert client.call("/square", b"", is_repeatable=True).status == 200


def test_what_is_turned_away_is_asked_again_with_the_same_key() -> None:
    """Also a job whose acknowledgement was lost; it is one job by its key."""
    with listening((503, {"Retry-After": "0"}), None, (429, {"Retry-After": "0"}), (200, {})) as client:
        with pytest.raises(ClientError, match="takes no jobs"):
            client.submit("/square", b"")
        assert len({request["idempotency-key"] for request in Script.requests}) == 1
        assert len(Script.requests) == 4


def test_a_key_goes_nowhere_else() -> None:
    """A redirect is an error, and is not followed."""
    with listening((307, {"Location": "http://127.0.0.1:9/"})) as client:
        with pytest.raises(Refused) as caught:
            client.call("/square", b"")
        assert caught.value.status == 307
        assert Script.requests[0]["authorization"] == "Bearer lg_secret"
        assert "lg_secret" not in str(caught.value)


def test_no_proxy_sees_the_key_of_what_is_here() -> None:
    """A service of this machine is asked straight, whatever the environment says of proxies."""
    environment = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}
    ask = "import sys; from litgen_runtime import Client; print(Client(sys.argv[1], retry_s=0).call('/x', b'').status)"
    with listening((200, {})) as client:
        done = subprocess.run(
            [sys.executable, "-c", ask, client.url],
            env={**environment, "http_proxy": "http://127.0.0.1:9"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.stdout == "200\n", done.stderr


def test_an_answer_of_somebody_else_is_told() -> None:
    """202 without a job, as from a gateway: an error of the client's own, not of Python's JSON."""
    with listening((202, {})) as client, pytest.raises(ClientError, match="tells of no job"):
        client.submit("/square", b"")
