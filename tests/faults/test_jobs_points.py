"""Death at every point of a job's life: one job, one end, and whoever waits for it is told (docs/jobs.md)."""

import contextlib
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults import inside
from tests.integration.jobs import ENDED, ended
from tests.receivers import SECRET, Receiver, receiving
from tests.services import Running, config, endpoint, eventually, serving

LARGE = 150_000  # more than is kept in the database
_numbers = itertools.count()


@dataclass
class Trial:
    """A service whose processes die when they are told to, and whoever it tells of jobs."""

    service: Running
    receiver: Receiver
    orders: inside.Orders
    files: Path

    def submit(self, size: int = 10, result: int = 0) -> tuple[str, str]:
        """Hand a job in until that has been acknowledged; return its id and what it is to say.

        Args:
            size: of its body, in bytes or more.
            result: of what it says, if that is to be larger than its body.
        """
        text = "x" * result or f"{next(_numbers)} ".ljust(size, "x")
        what = {"do": "large", "number": result} if result else {"do": "echo", "text": text}
        headers = {"Prefer": "respond-async", "Idempotency-Key": f"{next(_numbers)}", "Webhook-Url": self.receiver.url}
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                answer = self.service.post("/act", what, headers=headers)
                if answer.status_code == 202:
                    return str(answer.json()["id"]), text
            time.sleep(0.05)
        raise AssertionError("nothing is accepted any more")

    def check(self, job_id: str, text: str) -> dict[str, Any]:
        """Wait for the end of all that belongs to a job; return it."""
        assert eventually(lambda: self.service.process.process.poll() is None and self._is_up())
        job = ended(self.service, job_id)
        assert job["status"] == "succeeded"
        assert self.service.get(f"/v1/jobs/{job_id}/result").json()["value"] == text
        events = self.service.get(f"/v1/jobs/{job_id}/events").text.splitlines()
        assert [line for line in events if line.removeprefix("event: ") in ENDED] == ["event: succeeded"]
        assert eventually(lambda: [each["status"] for each in self.deliveries(job_id)] == ["delivered"])
        told = [each for each in self.receiver.received if each.document["data"]["job"]["id"] == job_id]
        assert {each.webhook_id for each in told} == {self.deliveries(job_id)[0]["id"]}
        assert len({each.body for each in told}) == 1
        return job

    def deliveries(self, job_id: str) -> list[dict[str, Any]]:
        """Ask after a job's webhooks."""
        found: list[dict[str, Any]] = self.service.get(f"/v1/jobs/{job_id}/deliveries").json()["deliveries"]
        return found

    def ids(self) -> set[str]:
        """Return the ids of the latest jobs."""
        return {job["id"] for job in self.service.get("/v1/jobs?limit=100").json()["jobs"]}

    def _is_up(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return self.service.get("/livez").status_code == 200
        return False


@contextlib.contextmanager
def trial(folder: Path, **jobs: Any) -> Iterator[Trial]:
    """Start one."""
    orders = inside.Orders(folder / "orders")
    together = endpoint("actions:ActTogether", "/act", jobs=True, batching={"max_size": 8, "max_wait_s": 0.002})
    with receiving() as receiver:
        webhooks = {"secrets": "env:HOOK_KEYS", "allow_http": True, "allow_private": True, "ports": [receiver.port]}
        path = config(folder, {"act": together}, jobs=jobs, webhooks={**webhooks, "schedule_s": [0, *[0.2] * 20]})
        with serving(path, env={"HOOK_KEYS": SECRET, **inside.env(orders=orders.path)}) as service:
            yield Trial(service, receiver, orders, folder / "var" / "jobs.db.files")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """One for the tests that need no choices of their own."""
    with trial(tmp_path_factory.mktemp("points")) as running:
        yield running


@pytest.mark.parametrize("point", ["accepted, before the commit", "accepted, before the 202"])
def test_while_it_is_accepted(shared: Trial, point: str) -> None:
    """Whoever hands in again with the key has one job, whether the first try had been written or not."""
    before = shared.ids()
    shared.orders.give(point)
    job_id, text = shared.submit(LARGE)
    assert shared.orders.obeyed()
    job = shared.check(job_id, text)
    assert shared.ids() - before == {job_id}
    assert job["attempt"] in ({1} if point == "accepted, before the commit" else {1, 2})


@pytest.mark.parametrize(
    ("point", "attempts"),
    [
        ("claimed, before it is sent", {2}),
        ("sent, while it runs", {2}),
        ("in the batch", {1}),  # a worker that dies is the dispatcher's to mend: it runs again in the same attempt
        ("after the batch", {1}),
        ("run, before the end is written", {2}),
        ("ended, before the commit", {2}),
        ("ended, before the POST", {1}),
        ("posted, before that is written", {1}),
        ("posted, before the commit", {1}),
    ],
)
def test_while_it_is_done(shared: Trial, point: str, attempts: set[int]) -> None:
    """It is done again where its end was not on the disk, and told of where nobody knows whether it was."""
    shared.orders.give(point)
    job_id, text = shared.submit()
    assert shared.orders.obeyed()
    assert shared.check(job_id, text)["attempt"] in attempts


@pytest.mark.parametrize("point", ["spilling", "spilled, before the commit"])
def test_while_a_body_is_written(shared: Trial, point: str) -> None:
    """What is left of it belongs to nobody, and goes."""
    before = shared.ids()
    shared.orders.give(point)
    job_id, text = shared.submit(LARGE)
    assert shared.orders.obeyed()
    shared.check(job_id, text)
    assert shared.ids() - before == {job_id}
    assert {file.name.partition(".")[0] for file in shared.files.iterdir()} <= before | {job_id}


@pytest.mark.parametrize("point", ["spilling", "spilled, before the commit"])
def test_while_a_result_is_written(shared: Trial, point: str) -> None:
    """It is made again."""
    names = {file.name for file in shared.files.iterdir()}
    shared.orders.give(point)
    job_id, text = shared.submit(result=LARGE)
    assert shared.orders.obeyed()
    assert shared.check(job_id, text)["attempt"] == 2
    (new,) = {file.name for file in shared.files.iterdir()} - names
    assert new.startswith(f"{job_id}.2."), "the second attempt's"


def test_while_the_next_process_takes_up(shared: Trial) -> None:
    """The one after that does."""
    points = ("recovering, before the commit", "recovered, before files are deleted")
    shared.orders.give("sent, while it runs", *points)
    job_id, text = shared.submit()
    assert shared.orders.obeyed()
    assert shared.check(job_id, text)["attempt"] == 2


def test_while_what_is_old_is_deleted(tmp_path: Path) -> None:
    """It is deleted all the same, with its files, and nothing else is."""
    with trial(tmp_path, keep_s=0.5, remember_s=0.5) as short:
        short.orders.give("swept, before the commit", "swept, before files are deleted")
        job_id, _ = short.submit(LARGE)
        assert short.orders.obeyed()
        assert eventually(lambda: _status(short.service, job_id) == 404)
        assert eventually(lambda: not list(short.files.iterdir()))
        told = {each.document["data"]["job"]["id"] for each in short.receiver.received}
        assert told == {job_id}


def _status(service: Running, job_id: str) -> int:
    with contextlib.suppress(httpx.HTTPError):
        return service.get(f"/v1/jobs/{job_id}").status_code
    return 0
