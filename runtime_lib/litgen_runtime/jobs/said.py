"""What the owner's code says of a job while it runs: gathered, bounded, and written now and then."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from litgen_runtime.jobs.record import Job, Status
from litgen_runtime.jobs.store import Rows

MAX_LINES = 201  # of one attempt: what a worker sends at most


@dataclass(slots=True)
class Said:
    """What has been said of one attempt and is not written yet.

    Args:
        job: as it was claimed.
        progress: the latest share; None where none has been said.
        note: said beside it.
        lines: log lines, each a JSON document.
        room: how many lines more are heard.
    """

    job: Job
    progress: float | None = None
    note: str | None = None
    lines: list[bytes] = field(default_factory=list)
    room: int = MAX_LINES

    def hear(self, text: bytes) -> None:
        """Take what a worker sends."""
        document = json.loads(text)
        if "progress" in document:
            self.progress, self.note = float(document["progress"]), _storable(document["note"])
        elif self.room:
            self.room -= 1
            self.lines.append(json.dumps(document).encode())

    def taken(self) -> Said | None:
        """Return what is there to be written and forget it; None where there is nothing."""
        if self.progress is None and not self.lines:
            return None
        news = replace(self)
        self.progress, self.note, self.lines = None, None, []
        return news

    def give_back(self, news: Said) -> None:
        """Keep what could not be written, behind nothing that was said since."""
        if self.progress is None:
            self.progress, self.note = news.progress, news.note
        self.lines = news.lines + self.lines

    def write(self, rows: Rows, stored: Job, now: float) -> Job:
        """Write it to its job, unless that is another attempt's by now; return the job as it is then."""
        if stored.status is not Status.RUNNING or stored.fence != self.job.fence:
            return stored
        for line in self.lines:
            rows.add_event(stored.id, now, "log", line)
        if self.progress is not None and (self.progress, self.note) != (stored.progress, stored.note):
            stored = replace(stored, progress=self.progress, note=self.note)
            rows.put(stored)
            document = {"progress": self.progress, "note": self.note}
            rows.add_event(stored.id, now, "progress", json.dumps(document).encode())
        return stored


def _storable(note: Any) -> str | None:
    """Return a note as text that a database takes: without half characters."""
    return None if note is None else str(note).encode("utf-8", "replace").decode()
