"""Who may use a service, as far as that is known before it starts: its keys, and what is odd about them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from litgen_runtime.api_keys import Keyring, read
from litgen_runtime.settings import Settings


def keyring_of(settings: Settings, environ: Mapping[str, str]) -> Keyring | None:
    """Return who has which key; None: auth is off.

    Raises:
        SettingsError: the keys are not there or make no sense; the message holds none.
    """
    source = settings.auth.keys
    return read(source, environ) if isinstance(source, str) else None


def warnings_of(settings: Settings, keyring: Keyring | None) -> Iterator[str]:
    """Yield what is odd: names that nobody has."""
    for name, endpoint in settings.endpoints.items():
        listed = endpoint.auth if isinstance(endpoint.auth, list) else []
        unknown = sorted(set(listed) - (keyring or Keyring()).names)
        if keyring is not None and unknown:
            yield (
                f"endpoints.{name}.auth names {', '.join(unknown)}; no key of auth.keys has this name, so far. "
                "Add one, or correct the name."
            )


def warnings_of_address(settings: Settings, host: str) -> Iterator[str]:
    """Yield the warning of a service that everybody can reach and use, unless its owner has said so.

    Args:
        settings: its choices.
        host: the address that it listens on.
    """
    if settings.auth.keys is False and "keys" not in settings.auth.model_fields_set and not _is_loopback(host):
        yield (
            f"whoever reaches {host} may use every endpoint: auth.keys is not set. Set it in service.toml, such as "
            'keys = "env:API_KEYS" under [auth]; keys = false says that this is meant.'
        )


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback if mapped is None else bool(mapped.is_loopback)
