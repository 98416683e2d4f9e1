"""One POST to a receiver that is not to be trusted: neither with where it is, nor with how it answers."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import ssl
import time

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from litgen_runtime._version import __version__
from litgen_runtime.errors import RequestError
from litgen_runtime.jobs.delivery import Posting
from litgen_runtime.webhooks.guard import Guard
from litgen_runtime.webhooks.lookups import Lookups
from litgen_runtime.webhooks.schedule import Attempt, retry_after_s
from litgen_runtime.webhooks.secrets import SigningKeys
from litgen_runtime.webhooks.signing import signed

log = logging.getLogger(__name__)

_CONNECT_S = 5.0
_MAX_ANSWER_BYTES = 65_536
_PIECE_BYTES = 8192
_NOT_ALLOWED = "its address is not allowed"
_AddrInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


class _Blocked(OSError):
    """The address may not be connected to."""


class Poster:
    """Makes attempts.

    Args:
        guard: where they may go.
        keys: what they are signed with.
        timeout_s: how long one may take in all, in seconds.
        lookups: the addresses of names.
    """

    def __init__(self, guard: Guard, keys: SigningKeys, timeout_s: float, lookups: Lookups) -> None:
        self._guard = guard
        self._keys = keys
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=min(_CONNECT_S, timeout_s))
        self._lookups = lookups

    async def attempt(self, posting: Posting) -> Attempt:
        """Send a delivery once and say what came of it."""
        try:
            self._guard.target(posting.delivery.url)  # what the operator allows may have changed since it was accepted
        except RequestError:
            return Attempt(error=_NOT_ALLOWED, blocked=True)
        door = _Door(self._guard)
        resolver = _Resolver(self._lookups, posting.principal)
        # A connector for each attempt: nothing of one connection, one address or one answer is left for another.
        connector = aiohttp.TCPConnector(
            resolver=resolver, use_dns_cache=False, force_close=True, socket_factory=door.socket
        )
        try:
            async with aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            ) as session:
                return await self._post(session, posting)
        except TimeoutError:
            return Attempt(error="no answer in time")
        except aiohttp.ClientConnectorCertificateError:
            return Attempt(error="its certificate is not valid")
        except (aiohttp.ClientError, OSError, ssl.SSLError, ValueError) as error:
            if door.has_blocked:
                return Attempt(error=_NOT_ALLOWED, blocked=True)
            log.debug("webhook %s: %s", posting.delivery.id, type(error).__name__)
            return Attempt(error="no connection" if isinstance(error, aiohttp.ClientConnectorError) else "no answer")

    async def _post(self, session: aiohttp.ClientSession, posting: Posting) -> Attempt:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"litgen-webhooks/{__version__}",
            **signed(self._keys.current, posting.delivery.id, int(time.time()), posting.body),
        }
        url = URL(posting.delivery.url, encoded=True)
        async with session.post(url, data=posting.body, headers=headers, allow_redirects=False) as answer:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):  # what counts has been said
                await _read_a_little(answer)
            if 200 <= answer.status < 300:
                return Attempt(answer.status)
            error = "it redirects" if 300 <= answer.status < 400 else f"it answers {answer.status}"
            return Attempt(answer.status, error, retry_after_s(answer.headers.get("Retry-After")))


class _Door:
    """Sees the address of each connection in the moment before it is made: to check it and to use it are one."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.has_blocked = False

    def socket(self, info: _AddrInfo) -> socket.socket:
        family, kind, protocol, _, place = info
        address = ipaddress.ip_address(str(place[0]).partition("%")[0])
        if not self._guard.allows(address):
            self.has_blocked = True
            raise _Blocked("this address is not allowed")
        return socket.socket(family, kind, protocol)


class _Resolver(AbstractResolver):
    def __init__(self, lookups: Lookups, principal: str) -> None:
        self._lookups = lookups
        self._principal = principal

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in await self._lookups.addresses(host, self._principal)
        ]
        if not found:
            raise OSError("the name has no addresses")
        return [each for each in found if family in (socket.AF_UNSPEC, each["family"])]

    async def close(self) -> None:
        """Nothing is held."""


async def _read_a_little(answer: aiohttp.ClientResponse) -> None:
    left = _MAX_ANSWER_BYTES
    while left > 0 and (piece := await answer.content.read(min(left, _PIECE_BYTES))):
        left -= len(piece)
        await asyncio.sleep(0)
