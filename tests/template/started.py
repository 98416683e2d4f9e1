"""A project's own command, started as its owner does it, and its README's curl lines, sent without curl."""

import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


def predictions(readme: str) -> list[str]:
    """Return the curl lines of a README that ask an endpoint."""
    return [line for line in readme.splitlines() if re.match(r"curl (-N )?http", line)]


def sent(curl: str, base_url: str, folder: Path) -> httpx.Response:
    """Send what a curl line of a README sends, but to `base_url`.

    Args:
        curl: the line.
        base_url: where the service is.
        folder: the project's folder, in which the line is typed.
    """
    words = iter(shlex.split(curl)[1:])
    method, url, headers, body = "", "", {}, dict[str, Any]()
    for word in words:
        match word:
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-d":
                body["content"] = next(words)
            case "--data-binary":
                body["content"] = (folder / next(words).removeprefix("@")).read_bytes()
            case "-F":
                name, _, path = next(words).partition("=@")
                body["files"] = {name: (Path(path).name, (folder / path).read_bytes())}
            case "--output":
                next(words)
            case "-N":
                pass
            case _:
                url = word
    return httpx.request(
        method or ("POST" if body else "GET"),
        url.replace("http://127.0.0.1:8000", base_url),
        headers=headers,
        timeout=60.0,
        **body,
    )
