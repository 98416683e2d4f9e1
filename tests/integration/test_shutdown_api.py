"""POST /shutdown (docs/behavior.md, 4.5)."""

import os
import pty
import re
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import wire
from tests.services import MARK, ROOT, Marked, Running, act, assert_problem, config, eventually, serving, square

pytestmark = pytest.mark.xdist_group("shutdown-api")

KEYS = ["first-key-abcdef", "second.key~123456"]


def bearer(key: str) -> dict[str, str]:
    """Return the header that carries a key."""
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service with two keys, which nobody shuts down."""
    path = config(tmp_path_factory.mktemp("guarded"), {"square": square()}, shutdown={"api": True})
    with serving(path, env={"SHUTDOWN_API_KEY": f" {KEYS[0]} ,{KEYS[1]},,"}) as service:
        yield service
        assert service.get("/readyz").status_code == 200
        assert not any(key in service.log() for key in KEYS)


def test_off_by_default(tmp_path: Path) -> None:
    """Without shutdown.api there is no such path, whatever keys are set, and the contract does not name it."""
    with serving(config(tmp_path, {"square": square()}), env={"SHUTDOWN_API_KEY": KEYS[0]}) as service:
        assert_problem(service.post("/shutdown", headers=bearer(KEYS[0])), 404, "not-found")
        assert "/shutdown" not in service.get("/openapi.json").json()["paths"]
        assert service.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer ,",
        f"Bearer {KEYS[0]}x",
        f"Bearer {KEYS[0][:-1]}",
        f"Bearer {KEYS[0]},{KEYS[1]}",
        f"Basic {KEYS[0]}",
        KEYS[0],
        "Bearer \u00e9",
    ],
)
def test_without_a_valid_key(guarded: Running, given: str | None) -> None:
    """No key, a wrong one or another scheme is 401 and says which scheme; an audit line has who and the outcome."""
    headers = {"X-Request-ID": f"attempt-{abs(hash(given))}"}
    if given is not None:
        headers["Authorization"] = given
    with wire.connected(guarded.port) as client:
        client.send(wire.post("/shutdown", b"", *(f"{name}: {value}" for name, value in headers.items())))
        reply = client.expect()
    assert (reply.status, reply.json()["code"]) == (401, "unauthorized")
    assert reply.headers["www-authenticate"].startswith("Bearer")
    line = next(line for line in guarded.log().splitlines() if headers["X-Request-ID"] in line)
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", line)
    assert "shutdown refused: 127.0.0.1:" in line


def test_other_methods(guarded: Running) -> None:
    """GET is 405, with a right key too, and audited."""
    answer = httpx.get(guarded.url + "/shutdown", headers={**bearer(KEYS[0]), "X-Request-ID": "by-get"})
    assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"
    assert "request by-get, method GET" in guarded.log()


def test_the_contract_has_the_scheme(guarded: Running) -> None:
    """The OpenAPI document describes the path and its bearer scheme."""
    document = guarded.get("/openapi.json").json()
    assert document["paths"]["/shutdown"]["post"]["security"] == [{"shutdown": []}]
    assert document["components"]["securitySchemes"]["shutdown"]["scheme"] == "bearer"


@pytest.mark.parametrize("source", ["first", "second", "file"])
def test_a_valid_key_drains_the_service(tmp_path: Path, source: str) -> None:
    """Any of the keys, from the environment or a file, drains: work finishes, newcomers get 503, exit 0, port free."""
    (tmp_path / "keys").write_text(f"{KEYS[0]}\n{KEYS[1]}\n")
    env = {"SHUTDOWN_API_KEY": ",".join(KEYS)} if source != "file" else {"SHUTDOWN_API_KEY_FILE": f"{tmp_path}/keys"}
    key = KEYS[0] if source == "first" else KEYS[1]
    path = config(tmp_path, {"act": act()}, shutdown={"api": True})
    with serving(path, env=env) as service:
        answers: list[httpx.Response] = []
        thread = threading.Thread(target=lambda: answers.append(service.post("/act", {"do": "sleep", "seconds": 2.0})))
        thread.start()
        assert eventually(lambda: service.get("/health").json()["in_flight"] == 1)
        accepted = service.post("/shutdown", headers={**bearer(key), "X-Request-ID": "goodbye"})
        assert (accepted.status_code, accepted.json()) == (202, {"status": "draining"})
        assert eventually(lambda: service.get("/readyz").status_code == 503)
        newcomer = service.post("/act", {"do": "pid"})
        assert_problem(newcomer, 503, "draining")
        assert newcomer.headers["connection"] == "close"
        assert service.get("/livez").status_code == 200
        thread.join()
        assert answers[0].json()["value"] == 2.0
        assert service.wait_exit() == 0
        log = service.log()
        assert not any(key in log for key in KEYS)
        assert re.search(r"shutdown accepted: 127\.0\.0\.1:\d+ request goodbye", log)
        assert "shutting down: POST /shutdown by 127.0.0.1:" in log
        socket.create_server(("127.0.0.1", service.port)).close()


def test_a_generated_key(tmp_path: Path) -> None:
    """Without a key one is generated into a 0600 file whose path is logged; it works, and goes with the service."""
    path = config(tmp_path, {"square": square()}, shutdown={"api": True})
    with serving(path, env={"TMPDIR": str(tmp_path), "SHUTDOWN_API_KEY": ""}) as service:
        match = re.search(r"a key for this run is in (\S+)", service.log())
        assert match is not None
        key_file = Path(match[1])
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        key = key_file.read_text().strip()
        assert len(key) >= 32
        assert_problem(service.post("/shutdown", headers=bearer("wrong")), 401, "unauthorized")
        assert service.post("/shutdown", headers=bearer(key)).status_code == 202
        assert service.wait_exit() == 0
        assert key not in service.log()
        assert not key_file.exists()
    assert [file.name for file in tmp_path.iterdir()] == ["service.toml"]


def test_a_generated_key_of_a_dead_supervisor(tmp_path: Path) -> None:
    """A kill -9 of the supervisor leaves no key behind."""
    path = config(tmp_path, {"square": square()}, shutdown={"api": True})
    with serving(path, env={"TMPDIR": str(tmp_path), "SHUTDOWN_API_KEY": ""}) as service:
        assert list(tmp_path.glob("litgen-shutdown-key-*"))
        service.signal(signal.SIGKILL)
        service.wait_exit()
        assert eventually(lambda: not list(tmp_path.glob("litgen-shutdown-key-*")))


def test_a_generated_key_on_a_terminal(tmp_path: Path, marked: Marked) -> None:
    """Where a person reads standard error the generated key is shown there, once, and no file is written."""
    path = config(tmp_path, {"square": square()}, shutdown={"api": True})
    master, slave = pty.openpty()
    environment = {**os.environ, MARK: marked.mark, "TMPDIR": str(tmp_path)}
    environment.pop("SHUTDOWN_API_KEY", None)
    command = [sys.executable, "-m", "litgen_runtime", "serve", "--config", str(path)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=slave)
    os.close(slave)
    try:
        said = ""
        deadline = time.monotonic() + 30
        while "ready: " not in said and time.monotonic() < deadline:
            if select.select([master], [], [], 0.5)[0]:
                said += os.read(master, 65_536).decode()
        keys = re.findall(r"the key is (\S+)", said)
        assert len(keys) == 1
        port = re.search(r"listening on http://127\.0\.0\.1:(\d+)", said)
        assert port is not None
        answer = httpx.post(f"http://127.0.0.1:{port[1]}/shutdown", headers=bearer(keys[0]))
        assert answer.status_code == 202
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert [file.name for file in tmp_path.iterdir()] == ["service.toml"]


@pytest.mark.parametrize("content", [None, b"", b"\n , \n", b"\xff\xfe"])
def test_a_key_file_without_keys(tmp_path: Path, marked: Marked, content: bytes | None) -> None:
    """A key file that is missing, empty or unreadable is no reason to open the door: exit 3 and a sentence."""
    if content is not None:
        (tmp_path / "keys").write_bytes(content)
    path = config(tmp_path, {"square": square()}, shutdown={"api": True})
    done = subprocess.run(
        [sys.executable, "-m", "litgen_runtime", "serve", "--config", path],
        cwd=ROOT,
        env={**os.environ, MARK: marked.mark, "SHUTDOWN_API_KEY_FILE": str(tmp_path / "keys")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert "SHUTDOWN_API_KEY_FILE" in done.stderr
    assert "Traceback" not in done.stderr


def test_shutdown_twice_and_a_signal(tmp_path: Path) -> None:
    """A second POST is accepted and changes nothing; a signal after it is the first one, not the second."""
    path = config(tmp_path, {"act": act()}, shutdown={"api": True})
    with serving(path, env={"SHUTDOWN_API_KEY": KEYS[0]}) as service, wire.connected(service.port) as client:
        client.send(wire.post("/act", b'{"do": "sleep", "seconds": 2}'))
        assert eventually(lambda: service.get("/health").json()["in_flight"] == 1)
        for _ in range(2):
            assert service.post("/shutdown", headers=bearer(KEYS[0])).status_code == 202
        service.process.process.terminate()
        assert client.expect().json()["value"] == 2
        assert service.wait_exit() == 0
        assert service.log().count("shutdown accepted") == 2
        assert service.log().count("shutting down") == 1
