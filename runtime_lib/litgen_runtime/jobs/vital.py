"""Work that must not come to an end while the process lives."""

from __future__ import annotations

import asyncio
import logging
import os

log = logging.getLogger(__name__)


def must_not_fail(task: asyncio.Task[None]) -> None:
    """End the process with what jobs cannot go on without: the next one takes them up, and nothing stands still."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("jobs cannot go on; the HTTP process ends, to be replaced", exc_info=error)
        os._exit(1)
