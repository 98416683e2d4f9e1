"""What happens to those who share a batch, or a worker, with something bad (docs/behavior.md, 2.7 and 3.3)."""

import concurrent.futures
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.services import Running, config, endpoint, eventually, serving

PID = {"do": "pid"}


def together(**choices: Any) -> Any:
    """Return the table of an endpoint that runs up to 8 commands at once."""
    batching = {"max_size": 8, "max_wait_s": 0.05}
    return endpoint("actions:ActTogether", "/act", batching=batching, timeout_s=30.0, **choices)


def behind(service: Running, first: dict[str, Any], then: list[dict[str, Any]]) -> list[httpx.Response]:
    """Send requests that form a batch while another one runs; return their answers, and the other's."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        ahead = pool.submit(service.post, "/act", first)
        time.sleep(0.1)
        return [*pool.map(lambda command: service.post("/act", command), then), ahead.result()]


def deaths(service: Running) -> float:
    """How many workers have died; the supervisor tells of one a bit after its requests were answered."""
    counted = re.findall(r"^litgen_worker_deaths_total\{.*\} (\S+)", service.get("/metrics").text, re.MULTILINE)
    return sum(map(float, counted))


def test_one_bad_item_fails_alone(tmp_path: Path) -> None:
    """Wherever it stands in its batch, and with what was said to its client alone."""
    with serving(config(tmp_path, {"act": together()})) as service:
        for place in range(8):
            commands: list[dict[str, Any]] = [PID] * 8
            commands[place] = {"do": "http-error", "number": 404, "text": "yours"}
            *answers, _ = behind(service, {"do": "sleep", "seconds": 0.3}, commands)
            assert sorted(answer.status_code for answer in answers) == [200] * 7 + [404], place


@pytest.mark.parametrize("batched", [True, False])
def test_a_long_run_keeps_nobody_from_an_idle_worker(tmp_path: Path, *, batched: bool) -> None:
    """What was given to a worker ahead of time is taken back from it when another one has nothing to do."""
    table = together(workers={"per_device": 2})
    if not batched:
        table |= {"handler": table["handler"].replace("ActTogether", "Act")}
        del table["batching"]
    with serving(config(tmp_path, {"act": table})) as service, concurrent.futures.ThreadPoolExecutor(16) as pool:
        for _ in range(20):
            service.post("/act", PID)  # quick ones: a worker may hold many of them
        long = pool.submit(service.post, "/act", {"do": "sleep", "seconds": 5})
        time.sleep(0.1)
        short = pool.submit(service.post, "/act", {"do": "sleep", "seconds": 0.3})
        time.sleep(0.1)
        began = time.monotonic()
        answers = list(pool.map(lambda _: service.post("/act", PID), range(8)))
        assert time.monotonic() - began < 3, "they waited for the long run"
        assert [answer.status_code for answer in [*answers, short.result(), long.result()]] == [200] * 10


def test_a_killer_right_behind_a_batch(tmp_path: Path) -> None:
    """Two workers die of it, the second one alone, and nobody else is blamed."""
    with serving(config(tmp_path, {"act": together(repeatable=True)})) as service:
        commands = [PID, PID, {"do": "die"}, PID]
        *answers, ahead = behind(service, {"do": "sleep", "seconds": 0.3}, commands)
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 500]
        assert ahead.status_code == 200
        assert eventually(lambda: deaths(service) == 2)


def test_a_killer_among_quick_ones(tmp_path: Path) -> None:
    """However quick the requests around it are, no third worker dies of it."""
    table = endpoint("actions:Act", "/act", repeatable=True, timeout_s=30.0)
    with serving(config(tmp_path, {"act": table})) as service, concurrent.futures.ThreadPoolExecutor(16) as pool:
        commands: list[dict[str, Any]] = [PID] * 60
        commands[30] = {"do": "die"}
        answers = list(pool.map(lambda command: service.post("/act", command), commands))
        assert sorted(answer.status_code for answer in answers) == [200] * 59 + [500]
        assert eventually(lambda: deaths(service) == 2)
