"""GET and HEAD /livez, /readyz, /health: no key, no queue, answered whatever the load."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.errors import MethodNotAllowed
from litgen_runtime.http.lifecycle import Lifecycle, WorkerState
from litgen_runtime.http.messages import Receive, Scope, Send, header, request_id_of, send_json

PATHS = ("/livez", "/readyz", "/health")


class Probes:
    """What an orchestrator asks.

    Args:
        lifecycle: where the service stands.
        dispatchers: the endpoints' queues, by name.
        busy_for_s: says for how long the present run of a worker has gone on, in seconds; None: it runs nothing.
        jobs: says how the jobs fare, if there are any; with ``trouble`` unless that is None, the service is degraded.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        dispatchers: Mapping[str, Dispatcher],
        busy_for_s: Callable[[int], float | None] = lambda _: None,
        jobs: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        self._jobs = jobs
        self._lifecycle = lifecycle
        self._dispatchers = dispatchers
        self._busy_for_s = busy_for_s
        self._started = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one probe."""
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed(f"{scope['path']} answers GET and HEAD.", {"Allow": "GET, HEAD"})
        status, document = self._answer(scope["path"])
        body = json.dumps(document).encode()
        request_id = request_id_of(header(scope, b"x-request-id"))
        await send_json(send, status, body, request_id, {"Cache-Control": "no-store"})

    def _answer(self, path: str) -> tuple[int, dict[str, Any]]:
        if path == "/livez":
            return 200, {"status": "alive"}
        status = self._lifecycle.status
        jobs = self._jobs() if self._jobs is not None else None
        if status == "ready" and jobs is not None and jobs["trouble"] is not None:
            status = "degraded"
        document: dict[str, Any] = {"status": status, "waiting_for": self._lifecycle.missing()}
        if path == "/health":
            document |= self._details() | ({} if jobs is None else {"jobs": jobs})
        return (200 if status in ("ready", "degraded") else 503), document

    def _details(self) -> dict[str, Any]:
        now = time.monotonic()
        endpoints = {
            name: {
                "queued": dispatcher.queued,
                "workers": [
                    self._worker(worker, now) for worker in self._lifecycle.workers.values() if worker.endpoint == name
                ],
            }
            for name, dispatcher in self._dispatchers.items()
        }
        return {
            "uptime_s": round(now - self._started, 1),
            "in_flight": self._lifecycle.in_flight,
            "endpoints": endpoints,
        }

    def _worker(self, worker: WorkerState, now: float) -> dict[str, Any]:
        return {
            "id": worker.id,
            "device": worker.device,
            "state": worker.state,
            "for_s": round(now - worker.since, 1),
            "load_s": _rounded(worker.load_s, 3),
            "busy_for_s": _rounded(self._busy_for_s(worker.id), 1),
            "restarts": worker.restarts,
            "recycles": worker.recycles,
            "last_death": worker.last_death,
            "last_error": worker.last_error,
        }


def _rounded(seconds: float | None, digits: int) -> float | None:
    return None if seconds is None else round(seconds, digits)
