from __future__ import annotations

import pytest

from litgen_runtime.access import keyring_of, warnings_of, warnings_of_address
from litgen_runtime.errors import SettingsError
from litgen_runtime.settings import Settings
from litgen_runtime.settings.load import validate
from tests.unit.runtime.mini import tables

KEY = "alice:alice-key-0123456789"


def settings(table: dict[str, object] | None = None, **endpoint: object) -> Settings:
    """Return the choices of a service with this table [auth]."""
    return validate(tables(**endpoint) | ({} if table is None else {"auth": table}), "x")


@pytest.mark.parametrize(
    ("host", "is_open"),
    [
        ("127.0.0.1", False),
        ("127.8.9.1", False),
        ("::1", False),
        ("::1%lo", False),
        ("::ffff:127.0.0.1", False),
        ("0.0.0.0", True),
        ("::", True),
        ("::ffff:10.0.0.1", True),
        ("192.0.2.1", True),
        ("fe80::1%eth0", True),
    ],
)
def test_an_open_service_that_others_reach(host: str, is_open: bool) -> None:
    """It warns, once; not on this machine's own addresses, and not where the owner has said that it is meant."""
    assert len(list(warnings_of_address(settings(), host))) == is_open
    assert len(list(warnings_of_address(settings({}), host))) == is_open
    assert not list(warnings_of_address(settings({"keys": False}), host))
    assert not list(warnings_of_address(settings({"keys": "env:A"}), host))


def test_the_warning_says_what_to_do() -> None:
    """Which key to set, and how to say that it is meant."""
    (warning,) = warnings_of_address(settings(), "0.0.0.0")
    assert 'keys = "env:API_KEYS"' in warning
    assert "keys = false" in warning
    assert "\n" not in warning


def test_names_that_nobody_has() -> None:
    """A name without a key is told, since its holder could not come in."""
    choices = settings({"keys": "env:A"}, auth=["alice", "bob", "carl"])
    (warning,) = warnings_of(choices, keyring_of(choices, {"A": KEY}))
    assert warning.startswith("endpoints.embed.auth names bob, carl; ")
    assert not list(warnings_of(choices, None))
    assert not list(warnings_of(settings({"keys": "env:A"}), keyring_of(choices, {"A": KEY})))


def test_off() -> None:
    """Without auth.keys nobody has a key, and none is read."""
    assert keyring_of(settings(), {"API_KEYS": "nonsense"}) is None
    with pytest.raises(SettingsError):
        keyring_of(settings({"keys": "env:A"}), {})
