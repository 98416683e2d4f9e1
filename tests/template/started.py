"""A project's own command, started as its owner does it, and its README's curl lines, sent without curl."""

import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.template.rendering import environment

READY_WITHIN_S = 120.0
STOPPED_WITHIN_S = 60.0


class Started:
    """A running service and what it writes to standard error."""

    def __init__(self, process: subprocess.Popen[bytes], log_path: Path) -> None:
        self.process = process
        self._log_path = log_path
        self.url = ""

    def log(self) -> str:
        """Return what the service has written so far."""
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def wait_ready(self) -> None:
        """Wait until /readyz answers 200."""
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log()}"
            where = re.search(r"listening on (http://[\d.]+:\d+)", self.log())
            if where:
                self.url = where[1]
                if httpx.get(self.url + "/readyz", timeout=10.0).status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError(f"not ready within {READY_WITHIN_S:g} s:\n{self.log()}")

    def exit_code(self) -> int:
        """Wait for the end, and return how it ended."""
        try:
            return self.process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"did not end within {STOPPED_WITHIN_S:g} s:\n{self.log()}") from error

    def terminate(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.exit_code()


@contextmanager
def started(*command: str | Path, cwd: Path, log_path: Path, env: Mapping[str, str]) -> Iterator[Started]:
    """Run a service's command until the block ends."""
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [str(word) for word in command], cwd=cwd, env=environment(env), stdin=subprocess.DEVNULL, stderr=log
        )
    service = Started(process, log_path)
    try:
        service.wait_ready()
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
        service.exit_code()


def sent(curl: str, base_url: str) -> httpx.Response:
    """Send what a curl line of a README sends, but to `base_url`."""
    words = iter(shlex.split(curl)[1:])
    method, url, headers, data = None, "", {}, None
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            data = next(words)
        else:
            url = word
    return httpx.request(
        method or ("GET" if data is None else "POST"),
        url.replace("http://127.0.0.1:8000", base_url),
        headers=headers,
        content=data,
        timeout=60.0,
    )
