"""Who may use an endpoint: the keys of clients, looked at before anything else of a request is."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from litgen_runtime.api_keys import Keyring
from litgen_runtime.errors import Forbidden, RequestError, Unauthorized
from litgen_runtime.http.body import INLINE_BYTES, declared_size

SCOPE_KEY = "litgen.gate"  # where an owner's route finds the gate; None there: auth is off
_HOW = "Send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'."
_NEEDED = "A valid key is needed."
_UNKNOWN = "This one is unknown here. Ask the service's owner for a key."
_TWO = "Authorization and X-API-Key hold two; send one."


class Gate:
    """One endpoint's, or that of the owner's own routes.

    Args:
        keyring: who has which key.
        allowed: who may pass; None: everybody who has a key.
    """

    def __init__(self, keyring: Keyring, allowed: Collection[str] | None = None) -> None:
        self._keyring = keyring
        self._allowed = None if allowed is None else frozenset(allowed)

    def admit(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return whose request this is.

        Args:
            headers: its headers, their names in lower case.

        Raises:
            Unauthorized: it has no key, one that nobody has, or two.
            Forbidden: it is from somebody who may not pass here.
        """
        keys = _presented(headers)
        owner = self._owner(keys)
        if owner is None:
            more = _UNKNOWN if len(keys) == 1 else _TWO if keys else _HOW
            raise _early(Unauthorized(f"{_NEEDED} {more}", {"WWW-Authenticate": "Bearer"}), headers)
        if self._allowed is not None and owner not in self._allowed:
            raise _early(Forbidden(f"{owner} may not use this. Ask the service's owner for a key that may."), headers)
        return owner

    def opened(self) -> OpenGate:
        """Return one with the same keys that lets everybody in."""
        return OpenGate(self._keyring)

    def _owner(self, keys: Collection[bytes]) -> str | None:
        return self._keyring.owner(next(iter(keys))) if len(keys) == 1 else None


class OpenGate(Gate):
    """One where everybody may pass, and who shows a valid key is known by its name: the job is theirs."""

    def admit(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return whose request this is; empty where nobody knows."""
        return self._owner(_presented(headers)) or ""


def gate_for(auth: bool | Collection[str] | None, keyring: Keyring | None) -> Gate | None:
    """Return what stands before an endpoint; None if it is open to everybody.

    Args:
        auth: ``endpoints.NAME.auth``.
        keyring: who has which key; None: auth is off.
    """
    if keyring is None or auth is False:
        return None
    return Gate(keyring, None if auth is None or auth is True else auth)


def shows_key(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request has a key, be it a valid one or not."""
    return bool(_presented(headers))


def bearer(authorization: bytes) -> bytes | None:
    """Return the key that an Authorization header holds; None if it holds something else (RFC 6750, 2.1)."""
    scheme, _, key = authorization.partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else None


def _presented(headers: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """Return the keys that a request has; the same one in both headers is one."""
    found = set()
    for name, value in headers:
        if name == b"authorization":
            found.add(bearer(value) or b"")
        elif name == b"x-api-key":
            found.add(value)
    return found - {b""}


def _early(error: RequestError, headers: Iterable[tuple[bytes, bytes]]) -> RequestError:
    """Let a body that is long, or may be, not be taken from whoever has no right to send it."""
    if declared_size(headers) > INLINE_BYTES:
        error.headers["Connection"] = "close"
    return error
