from __future__ import annotations

import hmac
import logging
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from litgen_runtime.errors import SettingsError
from litgen_runtime.http import shutdown_api
from litgen_runtime.http.shutdown_api import ShutdownApi
from litgen_runtime.shutdown_keys import key_file, read_keys
from tests.unit.runtime.fakes import Reply, ask, run

KEYS = ["first-key-0123456789", "second-key-9876543210"]


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.LogCaptureFixture]:
    """The log of every test; none may hold a key."""
    monkeypatch.setattr(logging.getLogger("litgen_runtime"), "propagate", True)
    caplog.set_level(logging.DEBUG)
    yield caplog
    assert not any(key in caplog.text for key in KEYS), "a key is in the log"


@pytest.fixture(autouse=True)
def temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep generated key files in the test's own folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def call(headers: Mapping[str, str], method: str = "POST") -> tuple[Reply, list[str]]:
    """Return the answer, and who was said to have asked for the end."""
    asked_by: list[str] = []
    return run(ask(ShutdownApi(KEYS, asked_by.append), method, "/shutdown", headers=headers)), asked_by


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
def test_any_key_opens(key: str, scheme: str) -> None:
    """Each of several keys begins the drain, so that they can be rotated."""
    reply, asked_by = call({"authorization": f"{scheme} {key}"})
    assert (reply.status, reply.json) == (202, {"status": "draining"})
    assert len(asked_by) == 1


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {KEYS[0]}",
        KEYS[0],
        f"Bearer {KEYS[0]}x",
        f"Bearer {KEYS[0][:-1]}",
        f"Bearer {KEYS[0]},{KEYS[1]}",
        "Bearer \u00e9",
    ],
)
def test_no_or_wrong_key(given: str | None) -> None:
    """Without a valid key the answer is 401 with the scheme, and nothing begins."""
    reply, asked_by = call({} if given is None else {"authorization": given})
    assert (reply.status, reply.json["code"], reply.headers["www-authenticate"]) == (401, "unauthorized", "Bearer")
    assert asked_by == []


def test_method() -> None:
    """Only POST shuts down, even with a key."""
    reply, asked_by = call({"authorization": f"Bearer {KEYS[0]}"}, "GET")
    assert (reply.status, reply.headers["allow"], asked_by) == (405, "POST", [])


@pytest.mark.parametrize(
    ("headers", "method", "outcome"),
    [
        ({"authorization": f"Bearer {KEYS[0]}"}, "POST", "shutdown accepted: 192.0.2.7:4711 request {id}"),
        ({"authorization": "Bearer x"}, "POST", "shutdown refused: 192.0.2.7:4711 request {id}, wrong key"),
        ({}, "POST", "shutdown refused: 192.0.2.7:4711 request {id}, no key"),
        ({}, "GET", "shutdown refused: 192.0.2.7:4711 request {id}, method GET"),
    ],
)
def test_audit_line(headers: dict[str, str], method: str, outcome: str, log: pytest.LogCaptureFixture) -> None:
    """Every attempt leaves one line: who, which request, what came of it; the id is the answer's."""
    reply, _ = call(headers, method)
    lines = [record.getMessage() for record in log.records if record.name == "litgen_runtime.audit"]
    assert lines == [outcome.format(id=reply.headers["x-request-id"])]


def test_given_request_id() -> None:
    """The client's request id is kept, and told to whoever shuts down."""
    reply, asked_by = call({"authorization": f"Bearer {KEYS[0]}", "x-request-id": "mine"})
    assert reply.headers["x-request-id"] == "mine"
    assert asked_by == ["POST /shutdown by 192.0.2.7:4711 request mine"]


@pytest.mark.parametrize("key", [KEYS[0], KEYS[1], "wrong"])
def test_constant_time(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each key is compared, by ``hmac.compare_digest``, whichever of them matches."""
    compared = []

    def compare(given: bytes, known: bytes) -> bool:
        compared.append(known.decode())
        return hmac.compare_digest(given, known)

    monkeypatch.setattr(shutdown_api, "hmac", type("Spy", (), {"compare_digest": staticmethod(compare)}))
    call({"authorization": f"Bearer {key}"})
    assert compared == KEYS


def test_keys_from_the_environment() -> None:
    """Several keys stand in one variable, separated by commas."""
    assert read_keys({"SHUTDOWN_API_KEY": f" {KEYS[0]} ,,{KEYS[1]}"}, key_file()) == KEYS


@pytest.mark.parametrize("text", ["{0}\n{1}\n", "{0},{1}", "\r\n{0}\r\n\r\n{1}"])
def test_keys_from_a_file(tmp_path: Path, text: str) -> None:
    """A file holds one key a line, or commas."""
    path = tmp_path / "keys"
    path.write_bytes(text.format(*KEYS).encode())
    assert read_keys({"SHUTDOWN_API_KEY_FILE": str(path)}, key_file()) == KEYS


def test_keys_from_both(tmp_path: Path) -> None:
    """Variable and file add up."""
    path = tmp_path / "keys"
    path.write_text(KEYS[1])
    assert read_keys({"SHUTDOWN_API_KEY": KEYS[0], "SHUTDOWN_API_KEY_FILE": str(path)}, key_file()) == KEYS


@pytest.mark.parametrize("content", [None, b"", b"\n ,\n", b"\xff" + KEYS[0].encode()])
def test_bad_file(tmp_path: Path, content: bytes | None) -> None:
    """A file that is absent, empty or not text is told by its path, never by what it holds."""
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        read_keys({"SHUTDOWN_API_KEY_FILE": str(path)}, key_file())
    assert str(refused.value).startswith(f"SHUTDOWN_API_KEY_FILE is {str(path)!r}, ")
    assert KEYS[0] not in str(refused.value)


def test_generated_key_goes_to_a_private_file(
    log: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no key set and no terminal, one is written to a 0600 file whose path alone is logged."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    (key,) = read_keys({"SHUTDOWN_API_KEY": " , "}, key_file())
    (path,) = tmp_path.glob("litgen-shutdown-key-*")
    assert path.read_text() == key + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert log.messages == [f"no SHUTDOWN_API_KEY is set; a key for this run is in {path}"]
    assert key not in log.text
    assert len(key) >= 32


def test_generated_key_is_shown_on_a_terminal(
    log: pytest.LogCaptureFixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where a person reads standard error, the key is shown once, and not logged or written."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    (key,) = read_keys({}, key_file())
    assert capsys.readouterr().err.count(key) == 1
    assert log.messages == []
    assert list(tmp_path.iterdir()) == []


def test_generated_keys_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """No two runs share a key."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert read_keys({}, key_file()) != read_keys({}, key_file())
