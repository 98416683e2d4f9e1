"""One endpoint's trouble is not another's, nor the probes' (docs/behavior.md, 1.3 and 2)."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

from tests.services import config, endpoint, serving, square
from tests.soak.lines import Line, get, post

TURN_S = 0.8
TURNS = 5
FAST_CLIENTS = 2
SLOW_CLIENTS = 48
MOST = 2.0  # of the medians; the promise is 1.5, measured by the benchmark on a quiet machine
ATTEMPTS = 4
FAST = post("/square", "fast", b'{"x": 3}')
SLOW = post("/slow", "slow", json.dumps({"x": 0.05}).encode())

Load = Callable[[], Awaitable[None]]


async def _closed_loop(port: int, data: bytes, until: Callable[[], bool], seconds: list[float]) -> None:
    """Ask again and again on one connection; note how long each answer took."""
    line = await Line.open(port)
    try:
        while not until():
            began = time.perf_counter()
            await line.send(data)
            answer = await line.answer()
            seconds.append(time.perf_counter() - began)
            assert answer.status in (200, 503, 504), answer
    finally:
        line.close()


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.99 * len(seconds))]


async def _turn(port: int, data: bytes, clients: int) -> float:
    """Return the p99 of a short closed loop."""
    seconds: list[float] = []
    over = time.monotonic() + TURN_S
    await asyncio.gather(*(_closed_loop(port, data, lambda: time.monotonic() > over, seconds) for _ in range(clients)))
    return _p99(seconds)


async def _ratio(port: int, measured: bytes, clients: int, load: bytes, load_clients: int) -> float:
    """Return the p99 of one kind of request beside another kind of load, over its p99 alone: turns, and medians."""
    alone, beside = [], []
    for _ in range(TURNS):
        alone.append(await _turn(port, measured, clients))
        over = asyncio.Event()
        crowd = [asyncio.create_task(_closed_loop(port, load, over.is_set, [])) for _ in range(load_clients)]
        await asyncio.sleep(0.2)
        beside.append(await _turn(port, measured, clients))
        over.set()
        await asyncio.gather(*crowd)
    return median(beside) / median(alone)


def test_a_saturated_endpoint_beside_a_fast_one(tmp_path: Path) -> None:
    """A sleeping endpoint with a long queue leaves the p99 of another endpoint where it was."""
    slow = endpoint("basic:Slow", "/slow", "Number", "Number")
    with serving(config(tmp_path, {"slow": slow, "square": square()})) as service:
        ratios: list[float] = []
        while not ratios or (ratios[-1] > MOST and len(ratios) < ATTEMPTS):
            ratios.append(asyncio.run(_ratio(service.port, FAST, FAST_CLIENTS, SLOW, SLOW_CLIENTS)))
        assert ratios[-1] <= MOST, ratios


def test_probes_beside_a_flood(tmp_path: Path) -> None:
    """/livez is answered within moments while clients keep the service as busy as it can be."""
    with serving(config(tmp_path, {"square": square()})) as service:

        async def probed() -> list[float]:
            over = asyncio.Event()
            crowd = [asyncio.create_task(_closed_loop(service.port, FAST, over.is_set, [])) for _ in range(64)]
            seconds: list[float] = []
            until = time.monotonic() + 3.0
            await _closed_loop(service.port, get("/livez", "probe"), lambda: time.monotonic() > until, seconds)
            over.set()
            await asyncio.gather(*crowd)
            return seconds

        seconds = asyncio.run(probed())
        assert len(seconds) > 10
        assert _p99(seconds) < 1.0
