from __future__ import annotations

import pytest

from litgen_runtime.api_keys import Keyring, read
from litgen_runtime.errors import Forbidden, Unauthorized
from litgen_runtime.http.gate import Gate, gate_for

ALICE, BOB = "alice-key-0123456789", "bob-key-9876543210"
KEYRING = read("env:A", {"A": f"alice:{ALICE},bob:{BOB}"})
SHORT = (b"content-length", b"10")


def admit(*headers: tuple[str, str], allowed: list[str] | None = None) -> str:
    """Return who is let in with these headers."""
    lines = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return Gate(KEYRING, allowed).admit([SHORT, *lines])


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", f"Bearer {ALICE}")],
        [("authorization", f"bEARER  {ALICE} ")],
        [("x-api-key", ALICE)],
        [("x-api-key", ALICE), ("authorization", f"Bearer {ALICE}")],
        [("x-api-key", ALICE), ("x-api-key", ALICE)],
        [("x-api-key", ALICE), ("authorization", "Basic eDp5")],
        [("x-api-key", ALICE), ("authorization", "Bearer ")],
    ],
)
def test_a_key(headers: list[tuple[str, str]]) -> None:
    """It comes in either header, or the same in both; another scheme than Bearer is somebody else's."""
    assert admit(*headers) == "alice"


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", f"Bearer {ALICE}x")],
        [("authorization", f"Bearer {ALICE},{BOB}")],
        [("x-api-key", f"Bearer {ALICE}")],
        [("x-api-key", "\u00e9")],
        [("x-api-key", ALICE), ("authorization", f"Bearer {BOB}")],
        [("x-api-key", ALICE), ("x-api-key", BOB)],
        [("x-api-key", ALICE), ("authorization", "Bearer wrong")],
    ],
)
def test_nobodys_key(headers: list[tuple[str, str]]) -> None:
    """A key that nobody has, or two different ones, is refused, without a word of what was sent."""
    with pytest.raises(Unauthorized) as refused:
        admit(*headers)
    assert refused.value.headers == {"WWW-Authenticate": "Bearer"}
    assert refused.value.detail.startswith("A valid key is needed.")
    assert "key-0123" not in refused.value.detail


@pytest.mark.parametrize(
    "headers", [[], [("authorization", "")], [("authorization", f"Basic {ALICE}")], [("authorization", ALICE)]]
)
def test_no_key(headers: list[tuple[str, str]]) -> None:
    """Who sends none is told how."""
    with pytest.raises(Unauthorized, match=r"^A valid key is needed. Send it as 'Authorization: Bearer KEY' or"):
        admit(*headers)


def test_somebody_else() -> None:
    """Where names are listed, the others' valid keys are refused in another way than a wrong key is."""
    assert admit(("x-api-key", BOB), allowed=["bob"]) == "bob"
    with pytest.raises(Forbidden, match=r"^alice may not use this"):
        admit(("x-api-key", ALICE), allowed=["bob"])
    with pytest.raises(Unauthorized):
        admit(("x-api-key", "wrong"), allowed=["bob"])


@pytest.mark.parametrize(
    ("header", "ends"),
    [
        ((b"content-length", b"10"), False),
        ((b"content-length", b"50000000"), True),
        ((b"transfer-encoding", b"chunked"), True),
    ],
)
def test_a_long_body_is_not_taken(header: tuple[bytes, bytes], ends: bool) -> None:
    """The connection ends behind the refusal of what is long, or may be."""
    with pytest.raises(Unauthorized) as refused:
        Gate(KEYRING).admit([header])
    assert (refused.value.headers.get("Connection") == "close") == ends


def test_which_gate() -> None:
    """There is none where auth is off or the endpoint is open."""
    assert gate_for(None, None) is gate_for(False, KEYRING) is None
    for auth in (None, True):
        gate = gate_for(auth, KEYRING)
        assert gate is not None
        assert gate.admit([(b"x-api-key", BOB.encode())]) == "bob"
    listed = gate_for(["alice"], KEYRING)
    assert listed is not None
    with pytest.raises(Forbidden):
        listed.admit([(b"x-api-key", BOB.encode())])


def test_keys_that_change() -> None:
    """A gate knows the keys of now."""
    keyring = Keyring.from_json(KEYRING.to_json())
    gate = Gate(keyring)
    keyring.replace(Keyring())
    with pytest.raises(Unauthorized):
        gate.admit([(b"x-api-key", ALICE.encode())])
