"""The keys of POST /shutdown: read, or made for this run, by the supervisor, which outlives the other processes."""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from litgen_runtime.errors import SettingsError

log = logging.getLogger(__name__)


def key_file() -> str:
    """Return a path that nobody can guess, for a key that is generated; nothing is made there."""
    return str(Path(tempfile.gettempdir()).absolute() / f"litgen-shutdown-key-{secrets.token_hex(8)}")


def read_keys(environ: Mapping[str, str], generated: str) -> list[str]:
    """Return the keys of SHUTDOWN_API_KEY and SHUTDOWN_API_KEY_FILE, comma- or line-separated.

    With none, one is generated: shown once where a person reads standard error, else written to a private file
    whose path is logged.

    Args:
        environ: the process's variables.
        generated: where that file is to be.

    Raises:
        SettingsError: the file cannot be read, or holds no key.
    """
    text = environ.get("SHUTDOWN_API_KEY", "")
    path = environ.get("SHUTDOWN_API_KEY_FILE")
    if path:
        try:
            text += "," + Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"SHUTDOWN_API_KEY_FILE is {path!r}, unreadable: {error}. Expected a file of keys, one a line."
            ) from None
    keys = [key.strip() for key in text.replace("\n", ",").split(",") if key.strip()]
    if path and not keys:
        raise SettingsError(f"SHUTDOWN_API_KEY_FILE is {path!r}, which holds no key. Expected keys, one a line.")
    return keys or [_generated(generated)]


def _generated(path: str) -> str:
    key = secrets.token_urlsafe(32)
    if sys.stderr.isatty():
        sys.stderr.write(f"No SHUTDOWN_API_KEY is set. For this run the key is {key}\n")
        return key
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key + "\n")
    atexit.register(Path(path).unlink, missing_ok=True)
    log.warning("no SHUTDOWN_API_KEY is set; a key for this run is in %s", path)
    return key
