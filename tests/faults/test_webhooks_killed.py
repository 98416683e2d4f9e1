"""Webhooks while processes die: each is delivered, more than once only with the same id (docs/webhooks.md)."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from tests.integration.jobs import accepted, ended
from tests.receivers import SECRET, Received, Receiver, Reply, receiving
from tests.services import Running, alive, config, eventually, serving, square

ENV = {"HOOK_KEYS": SECRET}


def hooks(receiver: Receiver, **more: Any) -> dict[str, Any]:
    """Return the table of a service that sends webhooks to a receiver on this machine."""
    choices: dict[str, Any] = {"secrets": "env:HOOK_KEYS", "allow_http": True, "allow_private": True}
    return {**choices, "ports": [receiver.port], "schedule_s": [0, 1, 1, 1, 1], **more}


def kill_http(service: Running) -> None:
    """Kill the HTTP process, and wait for the next one."""
    pid, before = service.http_pid, service.log().count("ready: ")
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not alive(pid))
    assert eventually(lambda: service.log().count("ready: ") > before)


def statuses(service: Running, job_id: str) -> list[str]:
    """Return where a job's webhooks stand."""
    return [each["status"] for each in service.get(f"/v1/jobs/{job_id}/deliveries").json()["deliveries"]]


def test_killed_between_the_webhook_and_its_record(tmp_path: Path) -> None:
    """What was sent and not noted down is sent again with the same id."""
    arrived = threading.Event()

    def says(count: int, received: Received) -> Reply:
        arrived.set()
        return Reply(after_s=0.0 if count else 60.0)

    with receiving(says) as receiver:
        path = config(tmp_path, {"square": square(jobs=True)}, webhooks=hooks(receiver))
        with serving(path, env=ENV) as service:
            job_id = accepted(service, "/square", {"x": 3}, Webhook_Url=receiver.url)
            assert arrived.wait(20)
            kill_http(service)
            assert eventually(lambda: statuses(service, job_id) == ["delivered"])
            first, second = receiver.received
            assert (first.webhook_id, first.body) == (second.webhook_id, second.body)


def test_a_whole_service_that_is_killed(tmp_path: Path) -> None:
    """The next one sends what is still to be sent; what leads where it may not go any more is blocked."""
    with receiving() as receiver:
        endpoints = {"square": square(jobs=True)}
        path = config(tmp_path, endpoints, webhooks=hooks(receiver, schedule_s=[4]))
        with serving(path, env=ENV) as service:
            job_id = accepted(service, "/square", {"x": 3}, Webhook_Url=receiver.url)
            ended(service, job_id)
            service.signal(signal.SIGKILL)
            assert service.wait_exit() == -signal.SIGKILL
        (tmp_path / "secrets").write_text(f"{SECRET}\n", encoding="utf-8")
        path = config(tmp_path, endpoints, webhooks=hooks(receiver, allow_private=False, secrets="file:secrets"))
        with serving(path) as service:
            assert eventually(lambda: statuses(service, job_id) == ["blocked"])
            assert receiver.connections == 0


def test_a_receiver_that_is_down_for_a_while(tmp_path: Path) -> None:
    """It is told everything once it is up again."""
    up = threading.Event()

    def says(_: int, __: Received) -> Reply:
        return Reply(204 if up.is_set() else 502)

    with receiving(says) as receiver:
        choices = hooks(receiver, schedule_s=[0, *[0.5] * 50])
        with serving(config(tmp_path, {"square": square(jobs=True)}, webhooks=choices), env=ENV) as service:
            jobs = [accepted(service, "/square", {"x": n}, Webhook_Url=receiver.url) for n in range(10)]
            time.sleep(2)
            up.set()
            for job_id in jobs:
                assert eventually(lambda job_id=job_id: statuses(service, job_id) == ["delivered"])  # type: ignore[misc]  # bound to each
