"""Where the secrets of webhooks are read; no message holds any part of one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from litgen_runtime.errors import SettingsError
from litgen_runtime.webhooks.signing import key_of

_FIX = (
    'Expected one or more secrets "whsec_…", separated by spaces, commas or lines; '
    "`python -c \"import base64, os; print('whsec_' + base64.b64encode(os.urandom(32)).decode())\"` makes one."
)


def read_secrets(source: str, environ: Mapping[str, str]) -> list[bytes]:
    """Return the keys that ``webhooks.secrets`` names.

    Args:
        source: ``env:NAME`` or ``file:PATH``.
        environ: the process's variables.

    Raises:
        SettingsError: there are none, or one of them makes no sense.
    """
    at = f'webhooks.secrets is "{source}"'
    kind, _, place = source.partition(":")
    if kind == "env":
        if place not in environ:
            raise SettingsError(f"{at}; there is no such variable. {_FIX}")
        text = environ[place]
    else:
        try:
            text = Path(place).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise SettingsError(f"{at}; the file cannot be read: {why}. {_FIX}") from None
    keys = []
    for number, secret in enumerate(text.replace(",", " ").split(), start=1):
        try:
            keys.append(key_of(secret))
        except ValueError as error:
            raise SettingsError(f"{at}; secret {number} there is {error}. {_FIX}") from None
    if not keys:
        raise SettingsError(f"{at}, which holds none. {_FIX}")
    return keys
