"""When a worker that ended is started again, and when the service gives up: a pure core."""

from __future__ import annotations

from dataclasses import dataclass

_FIRST_DELAY_S = 0.5
_MAX_DELAY_S = 30.0


@dataclass
class Restarts:
    """The history of one place.

    Args:
        max_restarts: how often it is started again before it has ever been ready.
    """

    max_restarts: int = 3
    served: bool = False  # has ever finished loading
    failures: int = 0  # ends in a row without having been ready

    def ready(self) -> None:
        """The process has finished loading."""
        self.served = True
        self.failures = 0

    def ended(self) -> float | None:
        """Return the seconds to wait before the next start, or None: the service can never start.

        A place that has served keeps being filled, whatever happens: a client's request must not stop a service.
        """
        self.failures += 1
        if not self.served and self.failures > self.max_restarts:
            return None
        return min(_FIRST_DELAY_S * 2.0 ** (min(self.failures, 32) - 1), _MAX_DELAY_S)
