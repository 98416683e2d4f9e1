"""Load: closed loops over kept-alive connections, from wrk, or from `streaming.py` where items are counted."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import fmean

from tests.benchmarks.errors import BenchmarkError
from tests.benchmarks.works import PATH, ROOT, Ask

WARM_UP_S = 1
_TIMEOUT_S = 30  # slow is a figure, not a failure
_SCRIPT = Path(__file__).with_name("post.lua")


@dataclass(frozen=True)
class Reading:
    """What the clients saw.

    Args:
        per_s: good answers a second, of a stream good items: a refusal is quick and would pass for speed.
        p50_ms: median time to the answer, of a stream to its first item.
        p99_ms: the 99th percentile of the same.
        failed: answers that were errors or broke off.
    """

    per_s: float
    p50_ms: float
    p99_ms: float
    failed: int


def mean(*readings: Reading) -> Reading:
    """Of readings of the same thing."""
    per_s, p50_ms, p99_ms, failed = zip(*map(astuple, readings), strict=True)
    return Reading(fmean(per_s), fmean(p50_ms), max(p99_ms), sum(failed))


def require() -> None:
    """Make sure that wrk is there; as root on a Debian it is installed.

    Raises:
        BenchmarkError: If it is not there and cannot be installed.
    """
    if shutil.which("wrk"):
        return
    if os.geteuid() == 0 and (apt := shutil.which("apt-get")):
        for arguments in (["update", "-qq"], ["install", "-y", "-qq", "wrk"]):
            subprocess.run([apt, *arguments], check=False, stdout=subprocess.DEVNULL)
    if not shutil.which("wrk"):
        raise BenchmarkError("wrk is not on the PATH; expected it to make the load. Run: sudo apt-get install wrk")


def press(port: int, ask: Ask, connections: int, seconds: int, path: str = PATH, header: str | None = None) -> Reading:
    """Ask for one answer over and over; ``header`` is sent along, such as "Name: value".

    Raises:
        BenchmarkError: If wrk fails.
    """
    url = f"http://127.0.0.1:{port}{path}"
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{_TIMEOUT_S}s", "-s", str(_SCRIPT)]
    with tempfile.NamedTemporaryFile(prefix="litgen-bench-") as body:
        body.write(ask.body)
        body.flush()
        more = [] if header is None else [header]
        return read(["wrk", *options, url, "--", body.name, ask.content_type, *more])


def press_stream(port: int, ask: Ask, connections: int, seconds: int) -> Reading:
    """Ask for one stream over and over and count items as they come, after a warm-up of its own.

    Raises:
        BenchmarkError: If the client fails.
    """
    numbers = [str(number) for number in (port, connections, WARM_UP_S, seconds, len(ask.answer))]
    return read([sys.executable, "-m", "tests.benchmarks.streaming", *numbers, PATH, ask.body.decode()])


def read(command: Sequence[str]) -> Reading:
    """Run what makes a load, and read what it prints in the end.

    Raises:
        BenchmarkError: If it does not print it.
    """
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    result = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
    if result is None:
        said = done.stderr or done.stdout
        raise BenchmarkError(f"{' '.join(command[:3])} failed with exit code {done.returncode}: {said}")
    told = json.loads(result.removeprefix("RESULT "))
    good = max(0, told["requests"] - told["failed"])
    return Reading(good / told["duration_us"] * 1e6, told["p50_us"] / 1e3, told["p99_us"] / 1e3, told["failed"])
