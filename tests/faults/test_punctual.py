"""Deadlines are kept to the moment, and a service at rest rests (docs/behavior.md, 2.5 and 3)."""

import asyncio
import json
import random
import time
from pathlib import Path

import psutil
import pytest

from tests import wire
from tests.services import act, config, endpoint, eventually, serving
from tests.soak.lines import Line, post
from tests.soak.models import RUNS

TIMEOUT_S = 0.5
REQUESTS = 300
ARRIVE_S = 3.0


async def _lateness(port: int) -> list[float]:
    """Return by how many seconds each 504 came after its moment, while the worker was busy all the time."""
    dice = random.Random(1)

    async def ask(number: int) -> float:
        await asyncio.sleep(dice.uniform(0, ARRIVE_S))
        line = await Line.open(port)
        try:
            began = time.perf_counter()
            await line.send(post("/act", f"r{number}", b'{"do": "pid"}'))
            answer = await line.answer()
            late = time.perf_counter() - began - TIMEOUT_S
        finally:
            line.close()
        assert (answer.status, json.loads(answer.body)["code"]) == (504, "timeout")
        return late

    return await asyncio.gather(*(ask(number) for number in range(REQUESTS)))


def test_504_comes_at_its_moment(tmp_path: Path) -> None:
    """With the worker busy, hundreds of waiting requests are answered when their time is over, none before."""
    busy = act(timeout_s=TIMEOUT_S, run_limit_s=60.0)
    with serving(config(tmp_path, {"act": busy})) as service, wire.connected(service.port) as client:
        client.send(wire.post("/act", json.dumps({"do": "hold-gil", "seconds": ARRIVE_S + 3}).encode()))
        assert eventually(lambda: service.get("/health").json()["in_flight"] == 1)
        late = sorted(asyncio.run(_lateness(service.port)))
        assert late[0] > -0.005
        assert late[int(0.9 * REQUESTS)] < 0.1


def test_a_running_predict_is_told_that_its_client_left(tmp_path: Path) -> None:
    """``self.cancelled()`` turns true, and the worker is free long before the work would have been done."""
    polite = {
        "handler": "tests.soak.models:Single",
        "request": "tests.soak.schemas:Ask",
        "response": "tests.soak.schemas:Told",
        "path": "/x",
        "workers": {"devices": "cpu"},
    }
    runs = tmp_path / "runs"
    runs.touch()
    with serving(config(tmp_path, {"x": polite}), env={RUNS: str(runs)}) as service:
        with wire.connected(service.port) as client:
            client.send(wire.post("/x", b'{"key": "a", "value": 1, "do": "polite", "seconds": 60}'))
            assert eventually(lambda: runs.read_text() == "a\n")
        left = time.monotonic()
        assert service.post("/x", {"key": "b", "value": 1}).json()["value"] == 4
        assert time.monotonic() - left < 5


@pytest.mark.parametrize("batching", [None, {"max_size": 8, "max_wait_s": 0.05}])
def test_a_service_at_rest_rests(tmp_path: Path, batching: dict[str, float] | None) -> None:
    """Nobody polls: a batch's window costs nothing while there is no request."""
    handler = "basic:Batch" if batching else "basic:Square"
    more = {"batching": batching} if batching else {}
    table = endpoint(handler, "/x", "Number", "Number", workers={"per_device": 2}, **more)
    with serving(config(tmp_path, {"x": table})) as service:
        assert service.post("/x", {"x": 1}).status_code == 200

        def used_s() -> float:
            return sum(sum(p.cpu_times()[:2]) for p in map(psutil.Process, family))

        family = [process.pid for process in service.marked.processes()]
        time.sleep(0.5)
        before = used_s()
        time.sleep(3.0)
        assert used_s() - before < 0.3, "more than a tenth of a core, at rest"
