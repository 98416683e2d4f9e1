"""A file of keys or secrets that has changed is read again, so that they are rotated without a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from litgen_runtime import api_keys
from litgen_runtime.api_keys import Keyring
from litgen_runtime.errors import SettingsError
from litgen_runtime.watched import WatchedFile

log = logging.getLogger(__name__)

T = TypeVar("T")
LOOK_S = 2.0


class FileWatch(Generic[T]):
    """Looks at a file every two seconds, off the event loop: a file on a slow disk holds nobody up.

    Args:
        source: ``env:NAME`` or ``file:PATH``; a variable does not change, so there is nothing to watch.
        read: returns what the file holds now.
        take: given that, when it has changed.
        what: is in it, for the log.
    """

    def __init__(self, source: str | bool, read: Callable[[], T], take: Callable[[T], None], what: str) -> None:
        is_file = isinstance(source, str) and source.startswith("file:")
        self._file = WatchedFile(Path(str(source).removeprefix("file:")), read) if is_file else None
        self._take = take
        self._what = what

    async def run(self) -> None:
        """Look for ever."""
        while self._file is not None:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Take what a file holds that has changed; one that makes no sense changes nothing."""
        if self._file is None:
            return
        try:
            found = await asyncio.get_running_loop().run_in_executor(None, self._file.changed)
        except SettingsError as error:
            log.error("%s The %s that were read before stay valid.", error, self._what)
            return
        if found is not None:
            self._take(found)


def key_watch(source: str | bool, keyring: Keyring, tell: Callable[[dict[str, Any]], None]) -> FileWatch[Keyring]:
    """Return what keeps the keys of clients up to date.

    Args:
        source: ``auth.keys``.
        keyring: what is kept up to date.
        tell: told of new keys, so that another HTTP process would not begin with old ones.
    """

    def take(found: Keyring) -> None:
        if found.to_json() == keyring.to_json():
            return
        gone = keyring.names - found.names
        keyring.replace(found)
        tell({"do": "api_keys", "entries": found.to_json()})
        none_of = f"; none of {_listed(gone)}" if gone else ""
        log.info("new keys: %d, of %s%s", len(found), _listed(found.names), none_of)

    return FileWatch(source, lambda: api_keys.read(str(source), {}), take, "keys")


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
