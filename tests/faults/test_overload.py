"""More than the workers can do: what is done is done in time, nobody is killed for the load (docs/behavior.md, 2)."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from tests import wire
from tests.services import Running, config, endpoint, eventually, serving
from tests.soak.lines import Cut, Line, document, post

RUN_S = 0.05
WORKERS = 2
TIMEOUT_S = 0.6
OVERLOAD = 1.3
WARM_S, MEASURED_S = 1.5, 6.0
CAPACITY = WORKERS / RUN_S
LEAST_GOODPUT = 0.9


async def _one(port: int, number: int, at: float) -> tuple[int, float]:
    """Ask at a given moment; return the status and when it came, 0 for an answer that came too late."""
    await asyncio.sleep(at - time.monotonic())
    began = time.monotonic()
    line = await Line.open(port)
    try:
        await line.send(post("/slow", f"r{number}", json.dumps({"x": RUN_S}).encode()))
        answer = await line.answer()
    except Cut:
        return 0, time.monotonic()
    finally:
        line.close()
    now = time.monotonic()
    return (answer.status if now - began <= TIMEOUT_S + 0.25 else 0), now


async def _open_loop(port: int, rate: float, seconds: float) -> list[tuple[int, float]]:
    """Ask at a steady rate, whatever the answers do; return the statuses and when they came."""
    began = time.monotonic() + 0.05
    return await asyncio.gather(*(_one(port, n, began + n / rate) for n in range(int(rate * seconds))))


def _goodput(outcomes: list[tuple[int, float]], began: float) -> float:
    """Return the results in the measured seconds, as a share of what the workers can do."""
    good = [at for status, at in outcomes if status == 200 and WARM_S <= at - began < WARM_S + MEASURED_S]
    return len(good) / MEASURED_S / CAPACITY


def test_goodput_under_overload(tmp_path: Path) -> None:
    """At 1.3 × what the workers can do, from the moment when slow workers are up, at least 0.9 of that is done in time.

    A rule that counts a run's limit from the arrival kills workers here, each of which then loads again.
    """
    slow = endpoint(
        "loading:SlowStart",
        "/slow",
        "Number",
        "Number",
        timeout_s=TIMEOUT_S,
        kill_grace_s=0.1,
        workers={"per_device": WORKERS},
    )
    with serving(config(tmp_path, {"slow": slow})) as service:
        workers = service.worker_pids()
        began = time.monotonic()
        outcomes = asyncio.run(_open_loop(service.port, OVERLOAD * CAPACITY, WARM_S + MEASURED_S))
        assert service.worker_pids() == workers, "workers were killed for the load"
        goodput = _goodput(outcomes, began)
        statuses = {status: sum(s == status for s, _ in outcomes) for status in {s for s, _ in outcomes}}
        assert goodput >= LEAST_GOODPUT, (goodput, statuses)
        assert set(statuses) <= {200, 503, 504}, statuses
        assert statuses.get(504, 0) + statuses.get(503, 0) > 0, "this was no overload"
        assert asyncio.run(document(service.port, "/health"))["status"] == "ready"


def _resident(service: Running) -> int:
    return int(Path(f"/proc/{service.http_pid}/statm").read_text().split()[1]) * 4096


def _crowd(service: Running, size: int, body: bytes) -> tuple[list[int], list[float], list[str | None]]:
    """Send so many requests at once; return statuses, seconds, and Retry-After of the refused ones."""

    async def ask(number: int) -> tuple[int, float, str | None]:
        line = await Line.open(service.port)
        began = time.monotonic()
        try:
            await line.send(post("/act", f"r{number}", body))
            answer = await line.answer()
        finally:
            line.close()
        return answer.status, time.monotonic() - began, answer.headers.get("retry-after")

    async def all_of_them() -> list[tuple[int, float, str | None]]:
        return await asyncio.gather(*(ask(number) for number in range(size)))

    outcomes = asyncio.run(all_of_them())
    return ([o[0] for o in outcomes], [o[1] for o in outcomes if o[0] == 503], [o[2] for o in outcomes if o[0] == 503])


@pytest.mark.parametrize("body_bytes", [100, 50_000])
def test_a_flood_on_one_busy_worker(tmp_path: Path, body_bytes: int) -> None:
    """Of 800 requests, what the queue cannot hold is 503 at once, with Retry-After, and memory stays where it is."""
    busy = endpoint("actions:Act", "/act", repeatable=False, timeout_s=6.0, queue={"max_size": 32})
    body = json.dumps({"do": "sleep", "seconds": 0.02, "text": "x" * body_bytes}).encode()
    with serving(config(tmp_path, {"act": busy})) as service:
        _crowd(service, 800, body)  # the buffers of so many connections are there from now on
        before = _resident(service)
        with wire.connected(service.port) as client:
            client.send(wire.post("/act", b'{"do": "sleep", "seconds": 3}'))
            assert eventually(lambda: service.get("/health").json()["in_flight"])
            statuses, seconds, retry_after = _crowd(service, 800, body)
        assert len(statuses) == 800
        assert set(statuses) <= {200, 503, 504}
        assert statuses.count(503) > 700
        assert all(after is not None and 1 <= int(after) <= 60 for after in retry_after)
        assert sorted(seconds)[len(seconds) // 2] < 1.0, "a refusal does not wait"
        assert eventually(lambda: service.get("/health").json()["in_flight"] == 0)
        assert _resident(service) - before < 20_000_000
