"""Who waits for something to happen to a job."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator


class Bells:
    """One for each job that somebody listens to."""

    def __init__(self) -> None:
        self.silenced = False  # nothing is waited for any more
        self._listeners: dict[str, set[asyncio.Event]] = {}

    @contextlib.contextmanager
    def listen(self, job_id: str) -> Iterator[asyncio.Event]:
        """Within this, the event is set whenever something has happened to the job; at first it is."""
        event = asyncio.Event()
        event.set()
        self._listeners.setdefault(job_id, set()).add(event)
        try:
            yield event
        finally:
            listeners = self._listeners[job_id]
            listeners.remove(event)
            if not listeners:
                del self._listeners[job_id]

    def ring(self, job_id: str) -> None:
        """Something has happened."""
        for event in self._listeners.get(job_id, ()):
            event.set()

    def silence(self) -> None:
        """Let everybody go."""
        self.silenced = True
        for job_id in self._listeners:
            self.ring(job_id)
