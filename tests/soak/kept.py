"""A service that is started again whenever it ends, as systemd does it with ``Restart=always``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from tests.services import MARK, ROOT, Marked
from tests.soak.target import Target

_RESTART_S = 0.1  # systemd's RestartSec
_STOP_S = 60.0


class Kept:
    """One service.

    Args:
        config: its service.toml.
        port: where it listens, each time.
        env: variables on top of this process's.
        log: where its standard error goes.
    """

    def __init__(self, config: Path, port: int, env: Mapping[str, str], log: Path) -> None:
        self.port = port
        self.marked = Marked()
        self.starts = 0
        self.exit_code: int | None = None
        self._command = [sys.executable, "-m", "litgen_runtime", "serve", "--config", str(config)]
        self._command += ["--host", "127.0.0.1", "--port", str(port)]
        self._env = {**os.environ, **env, MARK: self.marked.mark}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._keep)

    def start(self) -> None:
        """Start it, and see to it that it runs from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Have it end and stay so; ``exit_code`` says how it did."""
        self._stopping = True
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
        self._thread.join(_STOP_S)

    def victim(self, who: str) -> int | None:
        """Return the process id of a "worker", of "http", or of the "supervisor"; None if there is none now."""
        process = self._process
        if process is None or process.poll() is not None:
            return None
        target = Target(self.port, process.pid)
        try:
            found = {"worker": target.workers, "http": target.http, "supervisor": [process.pid]}[who]
        except OSError:  # it has ended meanwhile
            return None
        return found[0] if found else None

    def _keep(self) -> None:
        with self._log.open("ab") as log:
            while not self._stopping:
                self._process = subprocess.Popen(self._command, cwd=ROOT, env=self._env, stderr=log)
                self.starts += 1
                self.exit_code = self._process.wait()
                if not self._stopping:
                    time.sleep(_RESTART_S)
