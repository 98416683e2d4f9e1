from __future__ import annotations

import hashlib
import hmac
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime import api_keys
from litgen_runtime.api_keys import Keyring, new, read, variable_of
from litgen_runtime.errors import SettingsError
from litgen_runtime.watched import WatchedFile

ALICE, BOB = "alice-key-0123456789", "bob-key-9876543210"
HASH = hashlib.sha256(ALICE.encode()).hexdigest()


def of_variable(text: str) -> Keyring:
    """Return the keys of a variable."""
    return read("env:API_KEYS", {"API_KEYS": text})


def refused(text: str) -> str:
    """Return why a variable is refused."""
    with pytest.raises(SettingsError) as error:
        of_variable(text)
    return str(error.value)


@pytest.mark.parametrize("separator", [",", " ", "\n", ", ", "\r\n", "\t", ",\n,"])
def test_a_variable(separator: str) -> None:
    """Entries are separated by commas, blanks or line ends, whichever come."""
    keyring = of_variable(f"{separator}alice:{ALICE}{separator}bob:{BOB}{separator}")
    assert (keyring.owner(ALICE.encode()), keyring.owner(BOB.encode())) == ("alice", "bob")
    assert keyring.names == {"alice", "bob"}


def test_a_file(tmp_path: Path) -> None:
    """A file has an entry a line, comments and empty lines; a hash stands for its key, in either case."""
    path = tmp_path / "keys"
    path.write_bytes(f"\ufeff# ours\r\n\r\n  alice:sha256:{HASH.upper()}  # laptop\r\nbob:{BOB}\n#bob:x\n".encode())
    keyring = read(f"file:{path}", {})
    assert (keyring.owner(ALICE.encode()), keyring.owner(BOB.encode()), len(keyring)) == ("alice", "bob", 2)


def test_two_keys_of_one_name() -> None:
    """Somebody may have two keys, to change them one after the other; the same entry twice is one."""
    keyring = of_variable(f"alice:{ALICE},alice:{BOB},alice:sha256:{HASH}")
    assert keyring.owner(ALICE.encode()) == keyring.owner(BOB.encode()) == "alice"
    assert len(keyring) == 2


@pytest.mark.parametrize("key", [b"", ALICE[:-1].encode(), ALICE.encode() + b"x", HASH.encode(), b"\xff" * 100])
def test_what_is_nobodys_key(key: bytes) -> None:
    """Only the key itself opens, its hash does not."""
    assert of_variable(f"alice:{ALICE}").owner(key) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (ALICE, 'entry 1 has no ":" between a name and a key'),
        (f"bob:{BOB},{ALICE}", 'entry 2 has no ":"'),
        (f":{ALICE}", "entry 1 has a name that is not"),
        (f"al/ce:{ALICE}", "entry 1 has a name that is not"),
        (f"{'a' * 65}:{ALICE}", "entry 1 has a name that is not"),
        (f"älice:{ALICE}", "entry 1 has a name that is not"),
        ("alice:", "entry 1 has a key of fewer than 16 characters"),
        ("alice:0123456789abcde", "entry 1 has a key of fewer than 16 characters"),
        (f"alice:{ALICE}\u00e9", "entry 1 has a key with more in it than printable ASCII"),
        (f"alice:{ALICE}\0", "entry 1 has a key with more in it than printable ASCII"),
        (f"alice:{ALICE}\udcff", "entry 1 has a key with more in it than printable ASCII"),
        (f"alice:sha256:{HASH[:-1]}", 'entry 1 has "sha256:" and then not 64'),
        (f"alice:sha256:{HASH}0", 'entry 1 has "sha256:" and then not 64'),
        (f"alice:{ALICE},bob:{ALICE}", "entry 2 has the key of entry 1 under another name"),
        (f"alice:{ALICE},bob:sha256:{HASH}", "entry 2 has the key of entry 1 under another name"),
        ("", "holds no keys"),
        (" ,\n, ", "holds no keys"),
        (",".join(f"a:{'x' * 16}{i}" for i in range(1001)), "holds 1001 keys, not 1 to 1000"),
    ],
)
def test_what_makes_no_sense(text: str, problem: str) -> None:
    """Each is told by its place, with what is expected, and without a word of what stands there."""
    message = refused(text)
    assert message.startswith('auth.keys is "env:API_KEYS"')
    assert problem in message
    assert "keys new NAME" in message
    assert not any(secret in message for secret in (ALICE, BOB, HASH, "alice", "0123456789abcde"))


def test_no_variable() -> None:
    """A variable that is not there is no empty list of keys."""
    with pytest.raises(SettingsError, match=r'^auth.keys is "env:API_KEYS"; there is no such variable. Expected'):
        read("env:API_KEYS", {})


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """What is no readable file of text, or is endless, ends in one sentence and at once."""
    (tmp_path / "latin").write_bytes(f"alice:{ALICE}\xe9".encode("latin-1"))
    (tmp_path / "large").write_text("#" * 1_048_577)
    os.mkfifo(tmp_path / "pipe")
    reasons = {
        "nothing": "No such file",
        "": "no regular file",
        "pipe": "no regular file",
        "latin": "not UTF-8",
        "large": "larger than 1048576 bytes",
        "a\0b": "no path",
    }
    for name, reason in reasons.items():
        with pytest.raises(SettingsError) as error:
            read(f"file:{tmp_path / name}", {})
        assert f"which cannot be read: {reason}" in str(error.value).replace("it is ", "")
        assert ALICE not in str(error.value)


def test_every_key_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """One hash, and each known one compared with it in constant time, whichever of them matches."""
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return hmac.compare_digest(one, other)

    keyring = of_variable(f"alice:{ALICE},bob:{BOB},carl:{BOB}x")
    monkeypatch.setattr(api_keys, "hmac", type("Spy", (), {"compare_digest": staticmethod(compare)}))
    for key in (ALICE, BOB, "nobody's"):
        compared.clear()
        keyring.owner(key.encode())
        assert len(compared) == 3


def test_only_hashes_are_kept() -> None:
    """Neither the object nor what another process is told has a key."""
    keyring = of_variable(f"alice:{ALICE}")
    assert keyring.to_json() == [["alice", HASH]]
    assert Keyring.from_json(keyring.to_json()).owner(ALICE.encode()) == "alice"
    assert ALICE not in repr(vars(keyring))


def test_a_new_key() -> None:
    """It has 256 random bits and a prefix by which it is known; its entry lets its holder in."""
    (key, entry), (other, _) = new("alice"), new("alice")
    assert key != other
    assert key.startswith("lg_")
    assert len(key) == 46
    assert key not in entry
    assert of_variable(entry).owner(key.encode()) == "alice"
    with pytest.raises(ValueError, match="expected 1 to 64 letters"):
        new("al ice")


def test_the_variable_that_is_hidden() -> None:
    """Only a variable is one."""
    assert [variable_of(source) for source in ("env:A", "file:env:A", False)] == ["A", None, None]


def test_a_file_that_changes(tmp_path: Path) -> None:
    """It is read when it has changed, however it did; what is wrong with it is told once, and then read when right."""
    path = tmp_path / "keys"
    file = WatchedFile(path, lambda: read(f"file:{path}", {}))
    with pytest.raises(SettingsError, match="No such file"):
        file.changed()
    assert file.changed() is None
    path.write_text(f"alice:{ALICE}\n")
    first = file.changed()
    assert first is not None
    assert first.owner(ALICE.encode()) == "alice"
    assert file.changed() is None
    (tmp_path / "other").write_text(f"alice:{BOB}\n")
    (tmp_path / "other").rename(path)
    second = file.changed()
    assert second is not None
    assert (second.owner(ALICE.encode()), second.owner(BOB.encode())) == (None, "alice")
    path.write_text("alice\n")
    with pytest.raises(SettingsError, match="its line 1 has no"):
        file.changed()
    assert file.changed() is None
    path.unlink()
    with pytest.raises(SettingsError):
        file.changed()
    path.write_text(f"alice:{ALICE}\n")
    assert file.changed() is not None


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    """Whatever a variable holds, it is keys or one sentence that quotes nothing of it."""
    try:
        said = f"{len(read('env:A', {'A': text}))} keys"
    except SettingsError as error:
        said = str(error)
    assert re.fullmatch(r"[1-9]\d* keys|auth\.keys is \"env:A\".{20,300}", said)
