"""``repeatable = false``: nothing runs twice, whenever its worker dies (docs/behavior.md, 2.7)."""

import contextlib
import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests import wire
from tests.services import config, eventually, serving, square
from tests.soak.models import RUNS

ROUNDS = 4
DEEDS = ("work", "work", "work", "die", "work")


def table(handler: str, **choices: Any) -> dict[str, Any]:
    """Return the table of an endpoint that notes its runs and runs nothing twice."""
    response = "Piece" if handler == "Stream" else "Told"
    return {
        "handler": f"tests.soak.models:{handler}",
        "request": "tests.soak.schemas:Ask",
        "response": f"tests.soak.schemas:{response}",
        "path": "/x",
        "repeatable": False,
        "workers": {"devices": "cpu"},
        **choices,
    }


@pytest.mark.parametrize(
    ("handler", "choices"),
    [
        ("Single", {}),
        ("Batch", {"batching": {"max_size": 2}}),
        ("Stream", {"streaming": {"max_streams": 4}}),
    ],
)
def test_a_worker_that_dies_at_its_next_request(tmp_path: Path, handler: str, choices: dict[str, Any]) -> None:
    """A request that ends its worker at once, right behind others whose answers are on their way, runs once."""
    runs = tmp_path / "runs"
    runs.touch()
    with serving(config(tmp_path, {"x": table(handler, **choices)}), env={RUNS: str(runs)}) as service:
        for number in range(ROUNDS):
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(wire.connected(service.port)) for _ in DEEDS]
                for place, (client, do) in enumerate(zip(clients, DEEDS, strict=True)):
                    document = {"key": f"{number}.{place}", "value": 1, "do": do, "size": 50_000, "items": 1}
                    client.send(wire.post("/x", json.dumps(document).encode()))
                for client in clients:
                    client.expect()
            assert eventually(lambda: service.get("/health").json()["status"] == "ready")
    twice = [key for key, times in Counter(runs.read_text().split()).items() if times > 1]
    assert not twice


def test_what_a_dead_worker_has_said_is_heard(tmp_path: Path) -> None:
    """An answer that a busy HTTP process has not read yet when its worker dies is not lost, and nothing runs twice."""
    runs = tmp_path / "runs"
    runs.touch()
    with (
        serving(config(tmp_path, {"x": table("Single"), "y": square("/y")}), env={RUNS: str(runs)}) as service,
        wire.connected(service.port) as first,
        wire.connected(service.port) as second,
    ):
        for client, key, seconds in ((first, "a", 2.0), (second, "b", 30)):
            document = {"key": key, "value": 1, "do": "work", "seconds": seconds}
            client.send(wire.post("/x", json.dumps(document).encode()))
            assert eventually(lambda: service.get("/health").json()["in_flight"])
        assert eventually(lambda: service.get("/health").json()["in_flight"] == 2)
        http = service.http_pid
        worker, other = (p.pid for label in "xy" for p in service.marked.of(f"{label}[0] on cpu"))
        os.kill(http, signal.SIGSTOP)
        try:
            os.kill(other, signal.SIGKILL)  # so that the supervisor's word comes before the answer
            assert eventually(lambda: runs.read_text().split() == ["a", "b"])
            os.kill(worker, signal.SIGKILL)
            service.wait_log("x[0] on cpu: ended (SIGKILL)")
        finally:
            os.kill(http, signal.SIGCONT)
        assert first.expect().json()["key"] == "a"
        assert second.expect().json()["code"] == "worker-died"
        assert runs.read_text().split() == ["a", "b"]
