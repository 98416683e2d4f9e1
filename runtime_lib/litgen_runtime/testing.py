"""For tests of a service: the real one, in real processes, on a free port of 127.0.0.1.

::

    with running_service("service.toml") as service:
        httpx.post(service.url + "/embed", json={"text": "hello"})
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

_BACKLOG = 2048


class FakeClock:
    """Monotonic seconds that move only when told to."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def advance(self, seconds: float) -> float:
        """Let time pass; return the new time."""
        self.now += seconds
        return self.now


class ServiceProcess:
    """A started service.

    Args:
        process: its supervisor.
        port: where it listens.
        log_path: where its standard error goes.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, log_path: Path) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self._log_path = log_path

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        return self.process.pid

    def log(self) -> str:
        """Return what the service has written to standard error."""
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def wait_ready(self, timeout_s: float = 120.0) -> None:
        """Wait until /readyz says 200.

        Raises:
            RuntimeError: the service ended first, or the time was over; the message holds its log.
        """
        deadline = time.monotonic() + timeout_s
        said = "nothing yet"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(
                    f"the service ended with exit code {self.process.returncode}. Its log:\n{self.log()}"
                )
            try:
                with urllib.request.urlopen(self.url + "/readyz", timeout=2.0):  # noqa: S310 - our own loopback port
                    return
            except urllib.error.HTTPError as error:
                said = error.read().decode()
            except OSError as error:
                said = str(error)
            time.sleep(0.05)
        raise RuntimeError(f"the service was not ready within {timeout_s:g} s: {said}. Its log:\n{self.log()}")

    def stop(self, timeout_s: float = 60.0) -> int:
        """Send SIGTERM, wait for the drain, and return the exit code.

        Raises:
            RuntimeError: it did not end in time; it has been killed.
        """
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"the service did not stop within {timeout_s:g} s. Its log:\n{self.log()}") from None


@contextlib.contextmanager
def running_service(
    config: str | Path = "service.toml",
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    wait_ready: bool = True,
    own_store: bool = False,
) -> Iterator[ServiceProcess]:
    """Start a service, wait until it is ready, give it, and drain it in the end.

    Args:
        config: its service.toml.
        env: variables on top of this process's.
        cwd: the folder to start it in; the current one if not given.
        wait_ready: False to watch it load.
        own_store: whether its jobs go to a folder of this run, which ends with it, instead of ``jobs.store``.

    Raises:
        RuntimeError: it did not become ready; the message holds its log.
    """
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="litgen-service-"))
        log_path = Path(folder) / "log"
        store = {"LITGEN__JOBS__STORE": f"sqlite:///{folder}/var/jobs.db"} if own_store else {}
        log_file = stack.enter_context(log_path.open("wb"))
        process = subprocess.Popen(  # noqa: S603 - this interpreter, our own module
            [sys.executable, "-m", "litgen_runtime", "serve", "--config", str(config), "--fd", str(listener.fileno())],
            cwd=cwd,
            env={**os.environ, **store, **(env or {})},
            stderr=log_file,
            pass_fds=[listener.fileno()],
        )
        port = listener.getsockname()[1]
        listener.close()
        service = ServiceProcess(process, port, log_path)
        try:
            if wait_ready:
                service.wait_ready()
            yield service
        finally:
            service.stop()


def webhooks_to(port: int, secret: str) -> dict[str, str]:
    """Return the variables under which a service may tell a receiver on this machine, and nobody else.

    Args:
        port: where the receiver listens.
        secret: what webhooks are signed with.
    """
    return {
        "WEBHOOK_SECRETS": secret,
        "LITGEN__WEBHOOKS__SECRETS": "env:WEBHOOK_SECRETS",
        "LITGEN__WEBHOOKS__ALLOW_HOSTS": '["127.0.0.1"]',
        "LITGEN__WEBHOOKS__ALLOW_HTTP": "true",
        "LITGEN__WEBHOOKS__ALLOW_PRIVATE": "true",
        "LITGEN__WEBHOOKS__PORTS": f"[{port}]",
    }
