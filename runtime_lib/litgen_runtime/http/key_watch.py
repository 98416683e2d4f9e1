"""A file of keys that has changed is read again, so that keys are rotated without a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from litgen_runtime.api_keys import KeyFile, Keyring
from litgen_runtime.errors import SettingsError

log = logging.getLogger(__name__)

LOOK_S = 2.0


class KeyWatch:
    """Looks at the file every two seconds, off the event loop: a file on a slow disk holds nobody up.

    Args:
        source: ``auth.keys``; a variable does not change, so there is nothing to watch.
        keyring: what is kept up to date.
        tell: told of new keys, so that another HTTP process would not begin with old ones.
    """

    def __init__(self, source: str | bool, keyring: Keyring, tell: Callable[[dict[str, Any]], None]) -> None:
        is_file = isinstance(source, str) and source.startswith("file:")
        self._file = KeyFile(Path(str(source).removeprefix("file:"))) if is_file else None
        self._keyring = keyring
        self._tell = tell

    async def run(self) -> None:
        """Look for ever."""
        while self._file is not None:
            await self.look(self._file)
            await asyncio.sleep(LOOK_S)

    async def look(self, file: KeyFile) -> None:
        """Take the keys of a file that has changed; one that makes no sense changes nothing."""
        try:
            found = await asyncio.get_running_loop().run_in_executor(None, file.changed)
        except SettingsError as error:
            log.error("%s The keys that were read before stay valid.", error)
            return
        if found is None or found.to_json() == self._keyring.to_json():
            return
        gone = self._keyring.names - found.names
        self._keyring.replace(found)
        self._tell({"do": "api_keys", "entries": found.to_json()})
        log.info(
            "new keys: %d, of %s%s", len(found), _listed(found.names), f"; none of {_listed(gone)}" if gone else ""
        )


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
