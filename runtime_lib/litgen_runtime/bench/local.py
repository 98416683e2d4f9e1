"""A service of our own for the time of a load: on a free port of 127.0.0.1, and gone afterwards, however we go."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

_BACKLOG = 2048
_STOP_S = 90.0
_TAIL_CHARS = 4000


class LocalService:
    """The service, in a session of its own, so that Ctrl-C here reaches us and not it.

    Args:
        config: its service.toml.
        log_path: where its standard error goes.
    """

    def __init__(self, config: str, log_path: Path) -> None:
        self._log_path = log_path
        with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as listener, log_path.open("wb") as log:
            descriptor = listener.fileno()
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            self.process = subprocess.Popen(  # noqa: S603 - this interpreter, our own module
                [sys.executable, "-m", "litgen_runtime", "serve", "--config", config, "--fd", str(descriptor)],
                stdout=log,
                stderr=log,
                pass_fds=[descriptor],
                start_new_session=True,
            )

    @property
    def ended(self) -> bool:
        """Whether it is gone."""
        return self.process.poll() is not None

    def log_tail(self) -> str:
        """Return the last of what it has written."""
        return self._log_path.read_text(encoding="utf-8", errors="replace")[-_TAIL_CHARS:]

    def ask_to_stop(self) -> None:
        """Have it drain; a second time, have it end at once."""
        if not self.ended:
            self.process.send_signal(signal.SIGTERM)

    async def stop(self) -> None:
        """Let it drain and end."""
        self.ask_to_stop()
        try:
            await asyncio.wait_for(asyncio.to_thread(self.process.wait, _STOP_S), _STOP_S + 1)
        except (TimeoutError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


@contextlib.asynccontextmanager
async def local_service(config: str) -> AsyncIterator[LocalService]:
    """Run the service of a service.toml; in the end it is drained.

    Args:
        config: the path of its service.toml.
    """
    with tempfile.TemporaryDirectory(prefix="litgen-bench-") as folder, _guarded(folder) as guard:
        service = LocalService(config, Path(folder) / "log")
        os.write(guard, b"+%d\n" % service.process.pid)
        try:
            yield service
        finally:
            await service.stop()
            os.write(guard, b"-%d\n" % service.process.pid)


@contextlib.contextmanager
def _guarded(folder: str) -> Iterator[int]:
    """Have a guardian; gives the pipe to tell it of sessions, which it kills once we are gone, and then the folder."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "litgen_runtime.supervisor.guardian", str(reading), folder]
    guardian = subprocess.Popen(command, pass_fds=[reading], start_new_session=True)  # noqa: S603 - our own module
    os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)
        guardian.wait()
