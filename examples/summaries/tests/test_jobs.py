"""The client of examples/, as a process of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

EXAMPLE = Path(__file__).parents[1] / "examples" / "client.py"


def run_example(client: httpx.Client, **env: str) -> str:
    """Let examples/client.py have a job done, and return what it says."""
    key = {"API_KEY": client.headers.get("X-API-Key", "")}
    done = subprocess.run(
        [sys.executable, EXAMPLE, str(client.base_url)],
        env={**os.environ, **key, **env},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_has_its_job_done(client: httpx.Client) -> None:
    """Handed in, waited for, and its result fetched."""
    said = run_example(client)
    assert " is succeeded\n" in said
    assert " bytes of " in said


def test_the_receiver_is_told_of_the_end(client: httpx.Client, receiver: Any) -> None:
    """What examples/receiver.py gets is signed by the service, and about the job."""
    url = f"http://127.0.0.1:{receiver.server_port}/done"
    job_id = run_example(client, WEBHOOK_URL=url).split()[0]
    give_up = time.monotonic() + 30
    while job_id not in [job["id"] for job in receiver.handled.values()]:
        assert time.monotonic() < give_up, "no webhook came"
        time.sleep(0.05)


def test_a_webhook_of_somebody_else_is_refused(receiver: Any) -> None:
    """Whoever has no secret can tell the receiver nothing."""
    url = f"http://127.0.0.1:{receiver.server_port}/done"
    assert httpx.post(url, json={"data": {"job": {"id": "job_1"}}}).status_code == 401
