"""Receivers that misbehave, and names that do (docs/webhooks.md)."""

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks

from litgen_runtime import WebhookRejected, verify_webhook
from tests.faults import inside
from tests.integration.jobs import accepted, ended, stands
from tests.receivers import OLD_SECRET, SECRET, Receiver, Reply, receiving
from tests.services import Running, assert_problem, config, endpoint, eventually, serving, square

ENV = {"HOOK_KEYS": f"{SECRET} {OLD_SECRET}"}


@contextlib.contextmanager
def dripping() -> Iterator[int]:
    """Listen, and answer each connection a byte at a time, without end; give the port."""
    over = threading.Event()

    def drip(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            for byte in itertools.chain(b"HTTP/1.1 200 OK\r\n", itertools.cycle(b"X-A: b\r\n")):
                if over.wait(0.05):
                    return
                client.sendall(bytes([byte]))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                threads.append(threading.Thread(target=drip, args=(client,)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threads = [threading.Thread(target=serve)]
        threads[0].start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def opened(*ports: int, **more: Any) -> dict[str, Any]:
    """Return the table of a service that sends webhooks to this machine."""
    choices: dict[str, Any] = {"secrets": "env:HOOK_KEYS", "allow_http": True, "allow_private": True}
    return {**choices, "schedule_s": [0, 60], "ports": list(ports), **more}


def delivery(service: Running, job_id: str) -> dict[str, Any]:
    """Ask after the one webhook of a job, which there is once the job has ended."""
    ended(service, job_id)
    (found,) = service.get(f"/v1/jobs/{job_id}/deliveries").json()["deliveries"]
    return dict(found)


def test_receivers_that_hang_and_drip(tmp_path: Path) -> None:
    """They are cut when their time is over and hold up nothing: no other receiver, no call, no job, no cancel."""
    endpoints = {"square": square(jobs=True), "later": endpoint("actions:ActLater", "/later", jobs=True)}
    with receiving(Reply(after_s=60)) as hanging, dripping() as drips, receiving() as other:
        choices = opened(hanging.port, drips, other.port, timeout_s=4.0)
        with serving(config(tmp_path, endpoints, webhooks=choices), env=ENV) as service:
            bad = [hanging.url, f"http://127.0.0.1:{drips}/hook"]
            stuck = [accepted(service, "/square", {"x": 1}, Webhook_Url=bad[number % 2]) for number in range(12)]
            assert eventually(lambda: len(hanging.received) >= 4)
            for number in range(5):
                began = time.monotonic()
                accepted(service, "/square", {"x": 2}, Webhook_Url=other.url)
                assert eventually(lambda number=number: len(other.received) > number)  # type: ignore[misc]  # bound to each
                assert time.monotonic() - began < 3.5, "it waited for others' receivers"
            running = accepted(service, "/later", {"do": "", "seconds": 60}, Webhook_Url=other.url)
            assert service.post("/square", {"x": 3}).status_code == 200
            assert stands(service, running, "running")
            assert service.post(f"/v1/jobs/{running}/cancel").status_code == 202
            assert ended(service, running)["status"] == "canceled"
            assert eventually(lambda: len(other.received) == 6)
            for job_id in stuck[:2]:
                assert eventually(lambda job_id=job_id: delivery(service, job_id)["last_error"] == "no answer in time")  # type: ignore[misc]  # bound to each
            assert eventually(lambda: len(hanging.received) == 6), "the next ones have their turn"
            at = [each.at for each in hanging.received]
            assert at[4] - at[0] > 2.0, "as many at once as one receiver is sent"


def test_a_name_that_leads_elsewhere_by_then(tmp_path: Path) -> None:
    """It was public when the job was accepted; at the connect it leads inside, and nobody there sees anything."""
    names = tmp_path / "names"
    with receiving() as receiver:
        choices = opened(receiver.port, allow_private=False, schedule_s=[1])
        path = config(tmp_path, {"square": square(jobs=True)}, webhooks=choices)
        with serving(path, env={**ENV, **inside.env(names=names)}) as service:
            url = f"http://hooks.test:{receiver.port}/hook"
            inside.put(names, "127.0.0.1")
            refused = service.post("/square", {"x": 3}, headers={"Prefer": "respond-async", "Webhook-Url": url})
            assert_problem(refused, 422, "webhook-url-rejected")
            inside.put(names, "93.184.215.14")
            jobs = [accepted(service, "/square", {"x": 3}, Webhook_Url=url) for _ in range(2)]
            inside.put(names, "127.0.0.1")
            for job_id in jobs:
                assert eventually(lambda job_id=job_id: delivery(service, job_id)["status"] == "blocked")  # type: ignore[misc]  # bound to each
            assert receiver.connections == 0


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver that was sent one webhook, signed with both secrets."""
    with receiving() as receiver:
        choices = opened(receiver.port)
        path = config(tmp_path_factory.mktemp("sent"), {"square": square(jobs=True)}, webhooks=choices)
        with serving(path, env=ENV) as service:
            accepted(service, "/square", {"x": 3}, Webhook_Url=receiver.url)
            assert eventually(lambda: receiver.received)
        yield receiver


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_a_secret_that_is_being_changed(sent: Receiver, secret: str) -> None:
    """Whoever knows either of them accepts, with our function and with the library."""
    (received,) = sent.received
    assert verify_webhook(received.headers, received.body, secret) == received.webhook_id
    assert standardwebhooks.Webhook(secret).verify(received.body, received.headers)["type"] == "job.succeeded"


def test_a_webhook_that_was_changed(sent: Receiver) -> None:
    """Another body, another id, another time, another secret: all are rejected."""
    (received,) = sent.received
    timestamp = int(received.headers["webhook-timestamp"])
    stranger = "whsec_" + "x" * 40
    for headers, body, secret in (
        (received.headers, received.body.replace(b"9.0", b"8.0"), SECRET),
        ({**received.headers, "webhook-id": "msg_other"}, received.body, SECRET),
        ({**received.headers, "webhook-timestamp": str(timestamp + 1)}, received.body, SECRET),
        (received.headers, received.body, stranger),
    ):
        with pytest.raises(WebhookRejected):
            verify_webhook(headers, body, secret)


@pytest.mark.parametrize("later_s", [301, -310])
def test_a_webhook_that_is_sent_again_by_a_stranger(
    sent: Receiver, later_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than five minutes from its time nobody takes it any more."""
    (received,) = sent.received
    now = time.time()
    monkeypatch.setattr("litgen_runtime.webhooks.signing.time.time", lambda: now + later_s)
    with pytest.raises(WebhookRejected, match="more than 300 s"):
        verify_webhook(received.headers, received.body, SECRET)
