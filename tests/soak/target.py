"""The soaked service: its choices, its processes, and what can be seen of it from outside."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.services import config

MOST_QUEUED = 16
MAX_JSON_BYTES = 400_000
HEADER_TIMEOUT_S = 1.0
BODY_TIMEOUT_S = 1.5
_SPLITS = 4  # a batch of 8 that raises runs whole, in halves, in quarters, and one by one

# How often one request may run: at most once means that; what may be repeated runs once more after a death, and the
# items of a batch that raises in ever smaller parts. What had its turn in the moment when its worker died, before the
# HTTP process could know, is taken for waiting and has its turn again (docs/behavior.md, 2.7).
MOST_RUNS = {"once": 1, "again": 3, "batch": 2 + _SPLITS, "batch_once": 1, "stream": 3}

_TOLD = frozenset({"ok", "loading", "queue-full", "timeout", "no-time-left", "run-too-long"})
# What a sound request may be told while others misbehave.
ORDINARY = {
    "once": _TOLD | {"worker-died"},
    "again": _TOLD | {"kills-workers"},
    "batch": _TOLD | {"kills-workers", "predict-failed"},  # a batch with two bad items is left at that
    "batch_once": _TOLD | {"worker-died", "predict-failed"},
    "stream": _TOLD | {"kills-workers", "worker-died"},
}


def service_toml(folder: Path) -> Path:
    """Write the choices of the soaked service: everything short, so that much happens."""
    endpoints = {
        "once": _endpoint("Single", repeatable=False, workers={"per_device": 2}),
        "again": _endpoint("Single", workers={"per_device": 2, "max_requests": 100}),  # recycled all the time
        "batch": _endpoint("Batch", batching={"max_size": 8, "max_wait_s": 0.01}),
        "batch_once": _endpoint("Batch", repeatable=False, batching={"max_size": 8, "max_wait_s": 0.01}),
        "stream": _endpoint("Stream", "Piece", timeout_s=3.0, streaming={"max_streams": 8, "keep_alive_s": 0.2}),
    }
    service = {
        "max_json_bytes": MAX_JSON_BYTES,
        "header_timeout_s": HEADER_TIMEOUT_S,
        "body_timeout_s": BODY_TIMEOUT_S,
    }
    return config(folder, endpoints, service)


def _endpoint(handler: str, response: str = "Told", **choices: Any) -> dict[str, Any]:
    path = {"Single": "/again" if choices.get("repeatable", True) else "/once", "Stream": "/stream"}
    batch = "/batch" if choices.get("repeatable", True) else "/batch_once"
    return {
        "handler": f"tests.soak.models:{handler}",
        "request": "tests.soak.schemas:Ask",
        "response": f"tests.soak.schemas:{response}",
        "path": path.get(handler, batch),
        "timeout_s": 1.0,
        "kill_grace_s": 0.2,
        "queue": {"max_size": MOST_QUEUED},
        **choices,
        "workers": {"devices": "cpu", **choices.get("workers", {})},
    }


@dataclass(frozen=True)
class Sample:
    """How large two processes are at a quiet moment."""

    http_pid: int
    http_rss: int
    http_fds: int
    supervisor_rss: int
    supervisor_fds: int


@dataclass(frozen=True)
class Target:
    """A running service.

    Args:
        port: where it listens.
        pid: its supervisor.
    """

    port: int
    pid: int

    def children(self, module: str) -> list[int]:
        """Return the supervisor's children that run ``python -m MODULE``."""
        pids = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(pid) for pid in pids if f"\0{module}\0" in _read(f"/proc/{pid}/cmdline") + "\0"]

    @property
    def workers(self) -> list[int]:
        """The workers that run now."""
        return self.children("litgen_runtime.worker")

    @property
    def http(self) -> list[int]:
        """The HTTP process, if there is one now."""
        return self.children("litgen_runtime.http")

    def zombies(self) -> list[int]:
        """Return children that have ended and were not reaped."""
        pids = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(pid) for pid in pids if "\nState:\tZ" in _read(f"/proc/{pid}/status")]

    def sample(self) -> Sample:
        """Measure."""
        [http] = self.http
        return Sample(http, _rss(http), _fds(http), _rss(self.pid), _fds(self.pid))


def _read(path: str) -> str:
    with contextlib.suppress(OSError):
        return Path(path).read_text()
    return ""


def _rss(pid: int) -> int:
    return int(_read(f"/proc/{pid}/statm").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _fds(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
