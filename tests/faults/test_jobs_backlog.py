"""A large backlog: it is bounded, costs newcomers nothing, and is taken up at once (docs/jobs.md)."""

import asyncio
import contextlib
import json
import signal
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from statistics import quantiles

import pytest

from tests.services import Running, config, endpoint, eventually, serving
from tests.soak import lines

CLIENTS = 16
_BODY = json.dumps({"do": "sleep", "seconds": 0.5}).encode()
_REQUEST = lines.post("/act", "backlog", _BODY, "Prefer: respond-async")


async def _submit(port: int, count: int) -> tuple[Counter[int], list[float]]:
    """Hand in so many jobs on a few connections; return the answers' statuses, and how long each has taken."""
    statuses: Counter[int] = Counter()
    taken_s: list[float] = []
    todo = iter(range(count))

    async def client() -> None:
        line = await lines.Line.open(port)
        try:
            for _ in todo:
                began = time.monotonic()
                await line.send(_REQUEST)
                statuses[(await line.answer()).status] += 1
                taken_s.append(time.monotonic() - began)
        finally:
            line.close()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return statuses, taken_s


def submit(service: Running, count: int) -> tuple[Counter[int], list[float]]:
    """Hand in so many jobs; return the answers' statuses, and how long each has taken."""
    return asyncio.run(_submit(service.port, count))


def waiting(service: Running) -> int:
    """Return how many jobs wait."""
    return int(service.get("/health").json()["jobs"]["endpoints"]["act"]["waiting"])


def first_claim_s(service: Running) -> float:
    """Return how long after the service was ready the first job has begun."""
    ready = time.time()
    (job, *_) = eventually(lambda: service.get("/v1/jobs?status=running").json()["jobs"])
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(job["started_at"]).timestamp() - ready
    raise AssertionError(job)


@pytest.mark.parametrize("size", [500, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(300)])])
def test_a_backlog(tmp_path: Path, size: int) -> None:
    """Full is full, also for the next process, which begins to run at once; the last accept is as fast as the first."""
    together = endpoint("actions:ActTogether", "/act", jobs=True, batching={"max_size": 8, "max_wait_s": 0.002})
    path = config(tmp_path, {"act": together}, jobs={"max_waiting": size})
    with serving(path) as service:
        statuses, taken_s = submit(service, size)
        assert statuses == {202: size}
        early, late = taken_s[: size // 4], taken_s[-size // 4 :]
        assert quantiles(late, n=100)[98] < 2 * quantiles(early, n=100)[98] + 0.1
        statuses, _ = submit(service, 200)
        assert statuses[503], "it is full"
        left = waiting(service)
        service.signal(signal.SIGKILL)
        service.wait_exit()
    with serving(path) as service:
        assert first_claim_s(service) < 1.0
        assert left - 100 < waiting(service) <= size
        statuses, _ = submit(service, size - left + 200)
        assert statuses[503], "what was there counts"
        service.signal(signal.SIGKILL)
        service.wait_exit()
