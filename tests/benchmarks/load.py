"""Load from wrk: closed loop, kept-alive connections, one thread."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.errors import BenchmarkError
from tests.benchmarks.works import PATH, Work

_TIMEOUT_S = 30  # slow is a figure, not a failure
_SCRIPT = Path(__file__).with_name("post.lua")


@dataclass(frozen=True)
class Reading:
    """What the clients saw: `per_s` counts good answers only, since a refusal is quick and would pass for speed."""

    per_s: float
    p50_ms: float
    p99_ms: float
    failed: int


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


def press(port: int, work: Work, connections: int, seconds: int) -> Reading:
    """Ask for one work over and over.

    Raises:
        BenchmarkError: If wrk fails, or no request succeeds.
    """
    url = f"http://127.0.0.1:{port}{PATH}"
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{_TIMEOUT_S}s", "-s", str(_SCRIPT)]
    command = ["wrk", *options, url, "--", work.body]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    result = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
    if result is None:
        raise BenchmarkError(f"wrk failed with exit code {done.returncode}: {done.stderr or done.stdout}")
    told = json.loads(result.removeprefix("RESULT "))
    good = told["requests"] - told["failed"]
    if good <= 0:
        raise BenchmarkError(f"all {told['requests']} requests failed at {connections} connections; expected answers.")
    return Reading(good / told["duration_us"] * 1e6, told["p50_us"] / 1e3, told["p99_us"] / 1e3, told["failed"])
