"""Names to addresses, without one name that hangs holding up another, or one client's those of others."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence

from litgen_runtime.jobs.shares import Shares
from litgen_runtime.webhooks.guard import Address

Lookup = Callable[[str], Sequence[str]]


def system_lookup(host: str) -> list[str]:
    """Return the addresses of a name, as this machine resolves it.

    Raises:
        OSError: there are none.
    """
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Crowded(OSError):
    """Too many names are being looked up; nothing is known of this one."""


class Lookups:
    """Asks, each name once at a time, each in a thread of its own: a thread cannot be told to stop waiting.

    Args:
        lookup: how.
        most: how many names at once, those of one client never more than they leave; more are refused.
    """

    def __init__(self, lookup: Lookup, most: int) -> None:
        self._lookup = lookup
        self._most = most
        self._asked: dict[str, asyncio.Future[list[Address]]] = {}
        self._askers: dict[str, str] = {}

    async def addresses(self, host: str, principal: str = "") -> list[Address]:
        """Return the addresses of a name.

        Args:
            host: the name.
            principal: who wants to know.

        Raises:
            Crowded: too many names are being looked up.
            OSError: there are none.
        """
        future = self._asked.get(host)
        if future is None:
            if not Shares(self._most, self._askers.values()).room(principal):
                raise Crowded(f"{len(self._asked)} names are being looked up already")
            future = asyncio.get_running_loop().create_future()
            thread = threading.Thread(target=self._ask, args=(host, future), name="webhook-lookup", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # there are too many
                raise Crowded(str(error)) from None
            self._asked[host], self._askers[host] = future, principal
        return await asyncio.shield(future)

    def _ask(self, host: str, future: asyncio.Future[list[Address]]) -> None:
        found: list[Address] | OSError
        try:
            found = [ipaddress.ip_address(text.partition("%")[0]) for text in self._lookup(host)]
        except OSError as error:
            found = error
        except ValueError as error:  # a name that cannot be encoded, an address of another kind
            found = OSError(str(error))
        with contextlib.suppress(RuntimeError):  # the loop is gone
            future.get_loop().call_soon_threadsafe(self._tell, host, future, found)

    def _tell(self, host: str, future: asyncio.Future[list[Address]], found: list[Address] | OSError) -> None:
        del self._asked[host], self._askers[host]
        if isinstance(found, OSError):
            future.set_exception(found)
            future.exception()  # nobody may be listening any more
        else:
            future.set_result(found)
