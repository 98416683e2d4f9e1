"""As process 1 of a container, without an init in front."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests import wire
from tests.services import MARK, ROOT, Marked, act, config, endpoint, eventually

UNSHARE = shutil.which("unshare")


def _may_unshare() -> bool:
    if UNSHARE is None:
        return False
    return subprocess.run([UNSHARE, "-pf", "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _may_unshare(), reason="needs the right to make PID namespaces (unshare -pf)")


@dataclass
class Container:
    """A service that believes to be process 1."""

    outer: subprocess.Popen[bytes]
    log_path: Path

    def log(self) -> str:
        """Return what it has written to standard error."""
        return self.log_path.read_text()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.log().partition("listening on http://127.0.0.1:")[2].split()[0])

    @property
    def first(self) -> psutil.Process:
        """The supervisor, as seen from outside."""
        return psutil.Process(self.outer.pid).children()[0]


@contextlib.contextmanager
def contained(path: Path, marked: Marked, until: str = "ready: ") -> Iterator[Container]:
    """Run a service in a PID namespace of its own until its log holds a text."""
    log_path = path.parent / "log"
    command = [str(UNSHARE), "-pf", "--kill-child", sys.executable, "-m", "litgen_runtime", "serve", "--config"]
    with log_path.open("wb") as log:
        outer = subprocess.Popen([*command, str(path)], cwd=ROOT, env={**os.environ, MARK: marked.mark}, stderr=log)
    container = Container(outer, log_path)
    try:
        assert eventually(lambda: until in container.log(), 40), container.log()
        yield container
    finally:
        outer.kill()
        outer.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_process_1(tmp_path: Path, marked: Marked, number: int) -> None:
    """SIGTERM and SIGINT drain: work finishes, exit 0."""
    with contained(config(tmp_path, {"act": act()}), marked) as container, wire.connected(container.port) as client:
        client.send(wire.post("/act", b'{"do": "sleep", "seconds": 1.0}'))
        time.sleep(0.4)
        container.first.send_signal(number)
        assert client.expect().json()["value"] == 1.0
        assert container.outer.wait(20) == 0


def test_a_signal_while_setup_hangs(tmp_path: Path, marked: Marked) -> None:
    """A worker that hangs while loading does not keep process 1 from ending."""
    hanging = endpoint("loading:Hangs", "/x", "Number", "Number")
    with contained(config(tmp_path, {"x": hanging}), marked, "x[0] on cpu: loading") as container:
        time.sleep(0.5)
        container.first.send_signal(signal.SIGTERM)
        assert container.outer.wait(20) == 0


def test_a_second_signal_forces_process_1(tmp_path: Path, marked: Marked) -> None:
    """A second signal is 128 + n here too."""
    with contained(config(tmp_path, {"act": act()}), marked) as container, wire.connected(container.port) as client:
        client.send(wire.post("/act", b'{"do": "hold-gil", "seconds": 60}'))
        time.sleep(0.5)
        container.first.send_signal(signal.SIGTERM)
        assert eventually(lambda: "shutting down" in container.log())
        container.first.send_signal(signal.SIGINT)
        assert container.outer.wait(20) == 130


def test_process_1_reaps_orphans(tmp_path: Path, marked: Marked) -> None:
    """What falls to process 1 when its parent ends leaves no zombie."""
    with contained(config(tmp_path, {"act": act()}), marked) as container, wire.connected(container.port) as client:
        for body in (b'{"do": "spawn", "seconds": 0.2}', b'{"do": "spawn", "seconds": 600}', b'{"do": "die"}'):
            client.send(wire.post("/act", body))
            client.expect()
        assert eventually(lambda: "loaded in" in container.log().partition("ended (SIGKILL)")[2])

        def zombies() -> list[psutil.Process]:
            family = container.first.children(recursive=True)
            return [process for process in family if process.status() == psutil.STATUS_ZOMBIE]

        assert eventually(lambda: not zombies(), 5)
        container.first.send_signal(signal.SIGTERM)
        assert container.outer.wait(20) == 0
