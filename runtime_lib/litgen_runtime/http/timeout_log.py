"""What the log says of requests that ran out of time: one line a minute, with what would have been enough."""

from __future__ import annotations

import logging
from math import inf

from litgen_runtime.dispatcher.stats import Stats
from litgen_runtime.errors import RequestError

log = logging.getLogger(__name__)

_EVERY_S = 60.0


class TimeoutLog:
    """The timeouts of one endpoint.

    Args:
        name: the endpoint.
        stats: how long its answers take.
    """

    def __init__(self, name: str, stats: Stats) -> None:
        self._name = name
        self._stats = stats
        self._said = -inf
        self._unsaid = 0

    def note(self, request_id: str, error: RequestError, now: float) -> None:
        """Log a 504, unless one was logged within the last minute; ``now`` is monotonic seconds."""
        if now - self._said < _EVERY_S:
            self._unsaid += 1
            return
        more = f" {self._unsaid} more since the last such line." if self._unsaid else ""
        took = self._stats.recent_quantiles(0.5, 0.99)
        usual = f" The latest answers took {took[0]:.3f} s (P50) and {took[1]:.3f} s (P99)." if took else ""
        log.warning("%s: request %s: %s: %s%s%s", self._name, request_id, error.code, error.detail, more, usual)
        self._said, self._unsaid = now, 0
