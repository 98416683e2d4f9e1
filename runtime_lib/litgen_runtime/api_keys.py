"""The keys of clients: where they are read, and whose one is.

Only their SHA-256 is kept. That is enough here, without salt and without a slow hash: a key is to be random, and what
has 256 random bits is found by no dictionary and no amount of guessing, as a person's password would be.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from litgen_runtime.errors import SettingsError
from litgen_runtime.watched import Unreadable, text_of

MIN_CHARS = 16
PREFIX = "lg_"  # by which people and scanners of repositories know a key when they see one
_RANDOM_BYTES = 32
_MAX_KEYS = 1000  # each is compared with for each request
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KEY = re.compile(r"[!-+\--~]+")  # printable ASCII without the comma
_HASH = re.compile(r"sha256:([0-9A-Fa-f]{64})")
_SEPARATORS = re.compile(r"[,\s]+")
_COMMENT = re.compile(r"(^|\s)#.*")
_FIX = 'Expected "NAME:KEY" or "NAME:sha256:HASH"; the command `keys new NAME` makes both.'


class Keyring:
    """Who has which key.

    Args:
        entries: the name and the SHA-256 (32 bytes) of each key; a name may have several.
    """

    def __init__(self, entries: Iterable[tuple[str, bytes]] = ()) -> None:
        self._entries = tuple(entries)

    @property
    def names(self) -> frozenset[str]:
        """Everybody who has a key."""
        return frozenset(name for name, _ in self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def owner(self, key: bytes) -> str | None:
        """Return whose key this is; the time that it takes says nothing about the keys that there are."""
        given, owner = hashlib.sha256(key).digest(), None
        for name, known in self._entries:
            if hmac.compare_digest(given, known):
                owner = name
        return owner

    def replace(self, other: Keyring) -> None:
        """Hold what another one holds from now on."""
        self._entries = other._entries

    def to_json(self) -> list[list[str]]:
        """Return what ``from_json`` reads, for the way to another process."""
        return [[name, known.hex()] for name, known in self._entries]

    @staticmethod
    def from_json(entries: Iterable[Iterable[str]]) -> Keyring:
        """Read what ``to_json`` wrote."""
        return Keyring((name, bytes.fromhex(known)) for name, known in entries)


def read(source: str, environ: Mapping[str, str]) -> Keyring:
    """Return the keys that ``auth.keys`` names.

    Args:
        source: ``"env:NAME"`` or ``"file:PATH"``.
        environ: the process's variables.

    Raises:
        SettingsError: there are none, or one of them makes no sense; no key is in the message.
    """
    kind, _, place = source.partition(":")
    at = f'auth.keys is "{source}"'
    if kind == "env":
        if place not in environ:
            raise SettingsError(f"{at}; there is no such variable. {_FIX} Set it.")
        entries = [(f"entry {i}", text) for i, text in enumerate(_SEPARATORS.split(environ[place].strip()), 1) if text]
    else:
        lines = enumerate(_text_of(Path(place), at).splitlines(), 1)
        entries = [(f"line {i}", text) for i, line in lines if (text := _COMMENT.sub("", line).strip())]
    if not 1 <= len(entries) <= _MAX_KEYS:
        raise SettingsError(f"{at}, which holds {len(entries) or 'no'} keys, not 1 to {_MAX_KEYS}. {_FIX}")
    return Keyring(_checked(entries, at))


def variable_of(source: str | bool) -> str | None:
    """Return the variable that ``auth.keys`` names, which no other process is to inherit; None if it names none."""
    return source.removeprefix("env:") if isinstance(source, str) and source.startswith("env:") else None


def new(name: str) -> tuple[str, str]:
    """Return a new key, of 256 random bits, and the entry that lets its holder in without holding the key.

    Raises:
        ValueError: that can be nobody's name.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"the name is {name!r}; expected 1 to 64 letters, digits, dots, underscores and hyphens")
    key = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    return key, f"{name}:sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def _checked(entries: list[tuple[str, str]], at: str) -> Iterator[tuple[str, bytes]]:
    """Yield names and hashes; what is wrong is told by its place alone, since any part of it may be somebody's key."""
    seen: dict[bytes, tuple[str, str]] = {}
    for place, text in entries:
        name, colon, key = text.partition(":")
        known = _HASH.fullmatch(key)
        problem = (not colon and 'has no ":" between a name and a key') or _problem_of(name, key, is_hash=bool(known))
        if problem:
            raise SettingsError(f"{at}; its {place} {problem}. {_FIX}")
        digest = bytes.fromhex(known[1]) if known else hashlib.sha256(key.encode()).digest()
        other, other_place = seen.setdefault(digest, (name, place))
        if other != name:
            raise SettingsError(
                f"{at}; its {place} has the key of {other_place} under another name. Expected a key of each one's own: "
                "the command `keys new NAME` makes one."
            )
        if other_place == place:
            yield name, digest


def _problem_of(name: str, key: str, *, is_hash: bool) -> str | None:
    if not _NAME.fullmatch(name):
        return "has a name that is not 1 to 64 letters, digits, dots, underscores and hyphens"
    if is_hash:
        return None
    if key.startswith("sha256:"):
        return 'has "sha256:" and then not 64 hexadecimal digits'
    if len(key) < MIN_CHARS:
        return f"has a key of fewer than {MIN_CHARS} characters"
    return None if _KEY.fullmatch(key) else "has a key with more in it than printable ASCII without blanks and commas"


def _text_of(path: Path, at: str) -> str:
    try:
        return text_of(path)
    except Unreadable as error:
        raise SettingsError(
            f"{at}, which cannot be read: {error}. Expected a file of keys, one a line. {_FIX}"
        ) from None
