"""How many connections there may be, and who has to leave when there are more."""

from __future__ import annotations

import logging
import resource
from typing import Protocol

from litgen_runtime.errors import TooManyConnections

log = logging.getLogger(__name__)

_RESERVE = 64  # connections beyond the bound, for probes
_OTHER_DESCRIPTORS = 128  # the listener, lines, files that are being written
_LOOK_S = 0.1
_SAY_S = 60.0


class Guest(Protocol):
    """One connection."""

    is_silent: bool

    @property
    def idle_since(self) -> float | None:
        """Since when it has had its answers, if any, and asked for nothing, in seconds of any clock; else None."""

    def cut(self) -> None:
        """End the connection without a word."""


class Crowd:
    """Every connection, within a bound.

    A newcomer beyond the bound takes the place of the connection that has been idle for longest. Where none is idle it
    may ask the probes; beyond a reserve for that, the oldest newcomer that has said nothing yet is cut.

    Args:
        max_connections: the bound.
    """

    def __init__(self, max_connections: int) -> None:
        self._max = max_connections
        self._guests: set[Guest] = set()
        self._late: dict[Guest, None] = {}  # beyond the bound, oldest first
        self._idle: list[Guest] = []  # as they were found, the longest idle last
        self._look_at = 0.0
        self._say_at = 0.0

    def __len__(self) -> int:
        return len(self._guests)

    def enter(self, guest: Guest, now: float) -> bool:
        """Take a newcomer; False if it comes beyond the bound."""
        self._guests.add(guest)
        if len(self._guests) <= self._max or self._send_idle_away(now):
            return True
        if now >= self._say_at:
            self._say_at = now + _SAY_S
            log.warning("%d connections are open: newcomers are refused (service.max_connections)", self._max)
        self._late[guest] = None
        if len(self._guests) > self._max + _RESERVE:
            self._cut(next((late for late in self._late if late.is_silent), guest))
        return False

    def leave(self, guest: Guest) -> None:
        """Forget a connection that has ended."""
        self._guests.discard(guest)
        self._late.pop(guest, None)

    def may_stay(self, guest: Guest) -> bool:
        """Whether others have left, so that one that came beyond the bound is within it now."""
        if len(self._guests) > self._max:
            return False
        self._late.pop(guest, None)
        return True

    def refusal(self) -> TooManyConnections:
        """Return what one is told that came beyond the bound."""
        return TooManyConnections(
            f"The service holds {self._max} connections, the most it takes. Retry shortly, and keep fewer open.",
            {"Retry-After": "1"},
        )

    def _cut(self, guest: Guest) -> None:
        self.leave(guest)
        guest.cut()

    def _send_idle_away(self, now: float) -> bool:
        if not self._idle and now >= self._look_at:
            self._look_at = now + _LOOK_S
            idle = [(since, guest) for guest in self._guests if (since := guest.idle_since) is not None]
            self._idle = [guest for _, guest in sorted(idle, key=lambda found: -found[0])]
        while self._idle:
            guest = self._idle.pop()
            if guest in self._guests and guest.idle_since is not None:
                self._cut(guest)
                return True
        return False


def within_descriptors(max_connections: int) -> int:
    """Raise this process's limit of open files as far as the connections ask; return how many they can be.

    Args:
        max_connections: how many there are to be.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = max_connections + _RESERVE + _OTHER_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return max_connections
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    except (OSError, ValueError):  # a system may refuse what it has promised
        allowed = soft
    if allowed >= needed:
        return max_connections
    possible = max(1, allowed - _RESERVE - _OTHER_DESCRIPTORS)
    log.warning(
        "service.max_connections is %d, but this process may open %d files, enough for %d; expected %d. "
        "Raise the limit (ulimit -n, LimitNOFILE), or lower max_connections",
        max_connections,
        allowed,
        possible,
        needed,
    )
    return possible
