"""What the tests with real processes share: services on free ports, and the proof that nothing of them is left."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from litgen_runtime.testing import ServiceProcess, running_service

ROOT = Path(__file__).parent.parent
SERVICES = "tests.integration.services"
MARK = "LITGEN_TEST_MARK"
NO_TLS = ssl.create_default_context()  # what is plain HTTP needs none, and httpx would read it anew for each request
PATIENCE_S = 20.0  # how long something may take that takes no time on a machine at rest


def endpoint(handler: str, path: str, request: str = "Command", response: str = "Answer", **choices: Any) -> Any:
    """Return the table of an endpoint whose classes stand in ``tests/integration/services``."""
    return {
        "handler": f"{SERVICES}.{handler}",
        "request": f"{SERVICES}.schemas:{request}",
        "response": f"{SERVICES}.schemas:{response}",
        "path": path,
        "workers": {"devices": "cpu", **choices.pop("workers", {})},
        **choices,
    }


def square(path: str = "/square", **choices: Any) -> Any:
    """Return the table of an endpoint that squares a number."""
    return endpoint("basic:Square", path, "Number", "Number", **choices)


def act(path: str = "/act", **choices: Any) -> Any:
    """Return the table of an endpoint that does what it is told, and at most once (``actions.py``)."""
    return endpoint("actions:Act", path, **{"repeatable": False, **choices})


def config(
    folder: Path,
    endpoints: Mapping[str, Any],
    service: Mapping[str, Any] | None = None,
    shutdown: Mapping[str, Any] | None = None,
    jobs: Mapping[str, Any] | None = None,
    webhooks: Mapping[str, Any] | None = None,
    auth: Mapping[str, Any] | None = None,
) -> Path:
    """Write a service.toml and return its path."""
    tables = {
        "service": {"name": "trial", "host": "127.0.0.1", "port": 0, **(service or {})},
        "endpoints": endpoints,
        "shutdown": {"drain_timeout_s": 10.0, **(shutdown or {})},
        "jobs": jobs or {},
        "webhooks": webhooks or {},
        "auth": auth or {},
    }
    path = folder / "service.toml"
    path.write_text("".join(f"{key} = {value}\n" for key, value in _flat(tables, "")), encoding="utf-8")
    return path


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value)


@dataclass
class Marked:
    """Processes that carry a mark in their environment, which descendants inherit wherever they go."""

    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def processes(self) -> list[psutil.Process]:
        """Return those that are alive; a zombie is not."""
        needle = f"{MARK}={self.mark}".encode()
        found = []
        for pid in psutil.pids():
            with contextlib.suppress(OSError, psutil.NoSuchProcess):
                if needle in Path(f"/proc/{pid}/environ").read_bytes():
                    found.append(psutil.Process(pid))
        return found

    def of(self, module: str) -> list[psutil.Process]:
        """Return those that run ``python -m MODULE``."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                if module in process.cmdline():
                    found.append(process)
        return found

    def leftovers(self, patience_s: float = 3.0) -> list[str]:
        """Say what still runs after a little patience, and kill it."""
        deadline = time.monotonic() + patience_s
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.02)
        words = []
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                words.append(f"{process.pid} ({process.status()}): {' '.join(process.cmdline())}")
                process.kill()
        return words


@dataclass
class Running:
    """A service and everything that belongs to it."""

    process: ServiceProcess
    marked: Marked

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.process.url

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 that it listens on."""
        return self.process.port

    @property
    def pid(self) -> int:
        """The supervisor."""
        return self.process.pid

    @property
    def http_pid(self) -> int:
        """The HTTP process."""
        return self._only("litgen_runtime.http")

    @property
    def guardian_pid(self) -> int:
        """The guardian."""
        return self._only("litgen_runtime.supervisor.guardian")

    def _only(self, module: str) -> int:
        found: list[psutil.Process] = eventually(lambda: self.marked.of(module))
        return found[0].pid

    def worker_pids(self) -> list[int]:
        """Return the workers that run now."""
        return sorted(process.pid for process in self.marked.of("litgen_runtime.worker"))

    def log(self) -> str:
        """Return what the service has written to standard error."""
        return self.process.log()

    def post(self, path: str, document: Any = None, timeout_s: float = 60.0, **more: Any) -> httpx.Response:
        """Send one request on a connection of its own."""
        return httpx.post(self.url + path, json=document, timeout=timeout_s, verify=NO_TLS, **more)

    def get(self, path: str, timeout_s: float = PATIENCE_S) -> httpx.Response:
        """Send one GET on a connection of its own."""
        return httpx.get(self.url + path, timeout=timeout_s, verify=NO_TLS)

    def wait_log(self, text: str, timeout_s: float = PATIENCE_S) -> str:
        """Wait until the log holds a text, and return the log."""
        assert eventually(lambda: text in self.log(), timeout_s), f"{text!r} is not in the log:\n{self.log()}"
        return self.log()

    def wait_exit(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for the supervisor's end and return its exit code."""
        return self.process.process.wait(timeout_s)

    def signal(self, number: int) -> None:
        """Send a signal to the supervisor."""
        os.kill(self.pid, number)


@contextlib.contextmanager
def serving(
    path: Path, *, env: Mapping[str, str] | None = None, wait_ready: bool = True, cwd: Path = ROOT
) -> Iterator[Running]:
    """Run a service from a service.toml; in the end it is drained and nothing of it may be left.

    Args:
        path: its service.toml.
        env: variables on top of this process's.
        wait_ready: False to watch it load.
        cwd: the folder it starts in; the default has the classes of ``endpoint``.
    """
    marked = Marked()
    try:
        with running_service(path, env={**(env or {}), MARK: marked.mark}, cwd=cwd, wait_ready=wait_ready) as service:
            yield Running(service, marked)
    finally:
        left = marked.leftovers()
    assert not left, f"still running after the service's end: {left}"


def eventually(probe: Callable[[], Any], timeout_s: float = PATIENCE_S) -> Any:
    """Return the first true value of ``probe``, or its last one when the time is over."""
    deadline = time.monotonic() + timeout_s
    while not (value := probe()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return value


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is a well-formed RFC 9457 problem of ours, and return it."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(answer.content.decode("utf-8"))
    assert {"type", "title", "status", "detail", "code", "request_id"} <= problem.keys()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    return problem
