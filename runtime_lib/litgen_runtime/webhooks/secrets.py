"""Where the secrets of webhooks are read; no message holds any part of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from litgen_runtime.errors import SettingsError
from litgen_runtime.watched import Unreadable, text_of
from litgen_runtime.webhooks.signing import key_of

_FIX = (
    'Expected one or more secrets "whsec_…", separated by spaces, commas or lines; '
    "`python -c \"import base64, os; print('whsec_' + base64.b64encode(os.urandom(32)).decode())\"` makes one."
)


class SigningKeys:
    """What webhooks are signed with, from one moment to the next.

    Args:
        keys: as they were read.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self.current = tuple(keys)

    def replace(self, keys: Sequence[bytes]) -> bool:
        """Sign with these from now on; False if they are the ones that there were."""
        is_new = tuple(keys) != self.current
        self.current = tuple(keys)
        return is_new


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
            text = text_of(Path(place))
        except Unreadable as error:
            raise SettingsError(f"{at}; the file cannot be read: {error}. {_FIX}") from None
    keys = []
    for number, secret in enumerate(text.replace(",", " ").split(), start=1):
        try:
            keys.append(key_of(secret))
        except ValueError as error:
            raise SettingsError(f"{at}; secret {number} there is {error}. {_FIX}") from None
    if not keys:
        raise SettingsError(f"{at}, which holds none. {_FIX}")
    return keys
