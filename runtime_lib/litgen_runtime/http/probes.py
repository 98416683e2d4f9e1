"""GET and HEAD /livez, /readyz, /health: no key, no queue, answered whatever the load."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.errors import MethodNotAllowed
from litgen_runtime.http.lifecycle import Lifecycle
from litgen_runtime.http.messages import Receive, Scope, Send, header, request_id_of, send_json

PATHS = ("/livez", "/readyz", "/health")


class Probes:
    """What an orchestrator asks.

    Args:
        lifecycle: where the service stands.
        dispatchers: the endpoints' queues, by name.
    """

    def __init__(self, lifecycle: Lifecycle, dispatchers: Mapping[str, Dispatcher]) -> None:
        self._lifecycle = lifecycle
        self._dispatchers = dispatchers
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
        document: dict[str, Any] = {"status": status, "waiting_for": self._lifecycle.missing()}
        if path == "/health":
            document |= self._details()
        return (200 if status in ("ready", "degraded") else 503), document

    def _details(self) -> dict[str, Any]:
        now = time.monotonic()
        endpoints = {
            name: {
                "queued": dispatcher.queued,
                "workers": [
                    {
                        "id": worker.id,
                        "device": worker.device,
                        "state": worker.state,
                        "for_s": round(now - worker.since, 1),
                        "load_s": None if worker.load_s is None else round(worker.load_s, 3),
                        "restarts": worker.restarts,
                    }
                    for worker in self._lifecycle.workers.values()
                    if worker.endpoint == name
                ],
            }
            for name, dispatcher in self._dispatchers.items()
        }
        return {
            "uptime_s": round(now - self._started, 1),
            "in_flight": self._lifecycle.in_flight,
            "endpoints": endpoints,
        }
