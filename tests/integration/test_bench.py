"""``myservice bench`` against real services."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.services import MARK, ROOT, SERVICES, Marked, act, config, endpoint, eventually, serving, square

NUMBER = '{"x": 3}'
SHORT = ("--duration", "0.5", "--warm-up", "0.1", "--connections", "8")


def command(path: Path | None, *arguments: str) -> list[str]:
    """Return a command line."""
    where = ["--config", str(path)] if path else []
    return [sys.executable, "-m", "litgen_runtime", "bench", *where, *arguments]


def bench(
    marked: Marked, path: Path | None, *arguments: str, options: Sequence[str] = SHORT, **more: Any
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    line = command(path, *arguments, *options)
    env = {**os.environ, MARK: marked.mark}
    return subprocess.run(line, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False, **more)


def square_batch(**choices: Any) -> Any:
    """Return the table of an endpoint that takes batches; one takes 0.2 s."""
    batching = {"max_size": 8, "max_wait_s": 0.01}
    return endpoint("basic:Batch", "/batch", "Number", "Number", batching=batching, **choices)


def test_report(tmp_path: Path, marked: Marked) -> None:
    """The service is started, waited for, loaded and stopped; the report says how fast it was."""
    done = bench(marked, config(tmp_path, {"square": square()}), "/square", "--data", NUMBER)
    assert done.returncode == 0, done.stderr
    assert "waiting for square[0] on cpu: loading" in done.stderr
    assert "req/s   p50" in done.stderr
    assert "0 failed" in done.stdout
    assert "latency     p50" in done.stdout
    assert "in predict" in done.stdout


def test_document(tmp_path: Path, marked: Marked) -> None:
    """Programs get a document; batches, their sizes and the time they took are those of this load."""
    done = bench(marked, config(tmp_path, {"batch": square_batch()}), "/batch", "--data", NUMBER, "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["failed"], told["interrupted"]) == (0, 0, False)
    assert told["latency_s"]["p50"] >= 0.2
    assert told["inside"]["steps_s"]["run"] == pytest.approx(0.2, rel=0.5)
    assert told["inside"]["batches"] <= 5
    assert "5-8" in told["inside"]["batch_sizes"]
    assert told["inside"]["workers"] == {"ready": 1}


def test_running_service(tmp_path: Path, marked: Marked) -> None:
    """With --url nothing is started, and no service.toml is needed."""
    with serving(config(tmp_path, {"square": square()})) as service:
        done = bench(marked, None, "/square", "--url", service.url, "--data", NUMBER, "--json")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert (told["url"], told["failed"]) == (service.url, 0)
        assert told["requests"] > 10


def test_stream(tmp_path: Path, marked: Marked) -> None:
    """Of a stream the items and the time to the first one are told, too."""
    flow = endpoint("flows:Flow", "/flow", streaming={"max_streams": 8})
    asked = '{"do": "", "number": 5}'
    done = bench(marked, config(tmp_path, {"flow": flow}), "/flow", "--data", asked, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["items_per_s"] > 5 * told["requests_per_s"] * 0.5
    assert 0 < told["first_item_s"]["p50"] <= told["latency_s"]["max"]


@pytest.mark.parametrize("kind", ["bytes", "upload"])
def test_bytes(tmp_path: Path, marked: Marked, kind: str) -> None:
    """A file is sent as it is to what takes bytes or uploads; without one, the command says so."""
    handler, response = ("Same", "builtins:bytes") if kind == "bytes" else ("Receive", f"{SERVICES}.schemas:Received")
    request = "builtins:bytes" if kind == "bytes" else "litgen_runtime:Upload"
    table = {**endpoint(f"uploads:{handler}", "/raw"), "request": request, "response": response}
    path = config(tmp_path, {"raw": table})
    body = tmp_path / "body"
    body.write_bytes(bytes(range(256)) * 100)
    done = bench(marked, path, "/raw", "--data", f"@{body}", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["requests"] > 1
    assert f"takes {'bytes' if kind == 'bytes' else 'an upload'}, of which" in bench(marked, path, "/raw").stderr


def test_failures_end_with_1(tmp_path: Path, marked: Marked) -> None:
    """Requests that fail are told apart from answers, with what the service says of them."""
    done = bench(marked, config(tmp_path, {"square": square()}), "/square", "--data", '{"x": "three"}')
    assert done.returncode == 1
    assert "requests    0 answered" in done.stdout
    assert "422 invalid-input: /x: " in done.stdout


def test_usage_ends_with_2_before_anything_starts(tmp_path: Path, marked: Marked) -> None:
    """A path that is not there, and a request model without examples, are said at once."""
    path = config(tmp_path, {"square": square()})
    wrong = bench(marked, path, "/cube")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "expected one of: /square" in wrong.stderr
    poor = bench(marked, path, "/square")
    assert poor.returncode == 2
    assert "endpoints.square has no example for: x" in poor.stderr
    assert "waiting" not in poor.stderr


def test_nobody_there(tmp_path: Path, marked: Marked) -> None:
    """A URL where nothing answers is one sentence."""
    done = bench(marked, None, "/square", "--url", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "expected the service's description" in done.stderr
    assert "Traceback" not in done.stderr


def test_service_that_cannot_start(tmp_path: Path, marked: Marked) -> None:
    """Its exit code and its log are passed on."""
    broken = endpoint("loading:Raises", "/broken", "Number", "Number")
    done = bench(marked, config(tmp_path, {"broken": broken}), "/broken", "--data", NUMBER)
    assert done.returncode == 3
    assert "weights.bin is not there" in done.stderr


def test_interrupt(tmp_path: Path, marked: Marked) -> None:
    """Ctrl-C ends the load with the report so far; the ``marked`` fixture sees that nothing is left."""
    line = command(config(tmp_path, {"square": square()}), "/square", "--data", NUMBER, "--duration", "60")
    log = tmp_path / "progress"
    with log.open("w") as progress:
        running = subprocess.Popen(
            line, cwd=ROOT, env={**os.environ, MARK: marked.mark}, stdout=subprocess.PIPE, stderr=progress, text=True
        )
        assert eventually(lambda: "2 of 60 s" in log.read_text())
        running.send_signal(signal.SIGINT)
        report, _ = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "stopped early" in report
    assert "throughput" in report


def test_killed(tmp_path: Path, marked: Marked) -> None:
    """Not even kill -9 leaves the service behind, nor a file of ours."""
    folder = tmp_path / "tmpdir"
    folder.mkdir()
    env = {**os.environ, MARK: marked.mark, "TMPDIR": str(folder)}
    line = command(config(tmp_path, {"square": square()}), "/square", "--data", NUMBER, "--duration", "60")
    with subprocess.Popen(line, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        assert eventually(lambda: marked.of("litgen_runtime.worker"))
        running.kill()
    assert eventually(lambda: not marked.processes())
    assert eventually(lambda: not list(folder.iterdir()))


def test_deaths_show(tmp_path: Path, marked: Marked) -> None:
    """A worker that dies of what it is asked shows in the failures and among the workers."""
    path = config(tmp_path, {"act": act(quarantine_s=False)})
    once = ("--duration", "1", "--warm-up", "0", "--connections", "1")
    done = bench(marked, path, "/act", "--data", '{"do": "die"}', "--json", options=once)
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert any("worker-died" in name for name in told["failures"]), told
    assert told["inside"]["deaths"].keys() == {"SIGKILL"}  # once, or twice where a worker loads within the second
