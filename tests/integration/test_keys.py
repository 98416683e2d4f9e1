"""The keys of clients (docs/behavior.md, 8)."""

import concurrent.futures
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from litgen_runtime import api_keys
from tests import wire
from tests.services import (
    ROOT,
    SERVICES,
    Running,
    act,
    assert_problem,
    config,
    endpoint,
    eventually,
    serving,
    square,
)

pytestmark = pytest.mark.xdist_group("keys")

ALICE, SECOND, BOB = "lg_alice-key-0123456789", "lg_alices-other-key-55555", "lg_bob-key-9876543210"
BOBS_HASH = api_keys.read("env:A", {"A": f"bob:{BOB}"}).to_json()[0][1]
ENTRIES = f"alice:{ALICE}, alice:{SECOND} bob:sha256:{BOBS_HASH}"
KEYS = (ALICE, SECOND, BOB, BOBS_HASH)
BODY = b'{"x": 3}'
BYTES, UPLOAD = "builtins:bytes", "litgen_runtime:Upload"


def bearer(key: str) -> dict[str, str]:
    """Return the header that carries a key."""
    return {"Authorization": f"Bearer {key}"}


def endpoints() -> dict[str, Any]:
    """Every kind of endpoint, some for one or for all."""
    return {
        "square": square(),
        "bobs": square("/bobs", auth=["bob"]),
        "open": square("/open", auth=False),
        "flow": endpoint("flows:Flow", "/flow", streaming={"max_streams": 8}),
        "same": endpoint("uploads:Same", "/same") | {"request": BYTES, "response": BYTES},
        "receive": endpoint("uploads:Receive", "/receive", response="Received") | {"request": UPLOAD},
        "act": act(),
    }


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service with the keys of two, none of which it ever says."""
    asking = {"configure": f"{SERVICES}.web:asking"}
    path = config(tmp_path_factory.mktemp("keys"), endpoints(), asking, auth={"keys": "env:TRIAL_KEYS"})
    with serving(path, env={"TRIAL_KEYS": ENTRIES}) as running:
        yield running
        said = running.log() + running.get("/health").text + running.get("/metrics").text
        said += running.get("/openapi.json").text + running.get("/readyz").text
        assert not any(key in said for key in KEYS)
        assert "inside the runtime" not in running.log()


def in_pieces(body: bytes) -> Iterator[bytes]:
    """Yield a body that comes in pieces, which the short way does not take."""
    yield body[:2]
    yield body[2:]


@pytest.mark.parametrize("key", [ALICE, SECOND, BOB])
def test_every_kind_of_endpoint(service: Running, key: str) -> None:
    """Whoever has a key is answered, whole or in pieces, by an endpoint, a stream and an upload."""
    for headers in (bearer(key), {"X-API-Key": key}, {**bearer(key), "X-API-Key": key}):
        typed = {**headers, "Content-Type": "application/json"}
        assert service.post("/square", headers=typed, content=BODY).json() == {"x": 9}
        assert service.post("/square", headers=typed, content=in_pieces(BODY)).json() == {"x": 9}
        assert service.post("/same", headers=headers, content=b"a" * 3_000_000).content == b"a" * 3_000_000
        assert service.post("/receive", headers=headers, files={"a": b"b"}).status_code == 200
        assert service.post("/flow", {"do": "count", "number": 2}, headers=headers).text.startswith("data: ")


@pytest.mark.parametrize("path", ["/square", "/bobs", "/flow", "/same", "/receive"])
@pytest.mark.parametrize(
    "headers", [{}, bearer("wrong-key-0123456789"), {"X-API-Key": ALICE + "x"}, {**bearer(ALICE), "X-API-Key": BOB}]
)
def test_without_a_valid_key(service: Running, path: str, headers: dict[str, str]) -> None:
    """No key, a wrong one or two is 401 whatever the body is, on either way, and the connection stays."""
    with httpx.Client(base_url=service.url, timeout=30) as client:
        for content in (b"not JSON", BODY, b"", b"x" * 200_000):
            answer = client.post(path, content=content, headers={**headers, "X-Request-ID": "mine"})
            problem = assert_problem(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "connection" not in answer.headers
            assert ("X-API-Key: KEY" in problem["detail"]) == (not headers)
        assert_problem(client.post(path, content=in_pieces(BODY), headers=headers), 401, "unauthorized")


def test_what_is_for_others(service: Running) -> None:
    """A valid key is 403 where its name is not among those that are listed; another method is 405 as ever."""
    assert service.post("/bobs", {"x": 3}, headers=bearer(BOB)).json() == {"x": 9}
    problem = assert_problem(service.post("/bobs", {"x": 3}, headers=bearer(ALICE)), 403, "forbidden")
    assert problem["detail"].startswith("alice may not use this")
    assert_problem(service.get("/bobs"), 405, "method-not-allowed")


def test_what_is_open(service: Running) -> None:
    """Probes, metrics, documentation and endpoints with ``auth = false`` need no key; a wrong one does no harm."""
    for path in ("/livez", "/readyz", "/health", "/metrics", "/docs", "/openapi.json"):
        assert service.get(path).status_code == 200
    assert service.post("/open", {"x": 3}).json() == {"x": 9}
    assert service.post("/open", {"x": 3}, headers=bearer("wrong")).json() == {"x": 9}


@pytest.mark.parametrize("path", ["/square", "/same", "/flow"])
def test_nothing_is_sent_in_vain(service: Running, path: str) -> None:
    """Who would first send a large body gets 401 instead of the 100, and the connection ends; with a key, the 100."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9000000\r\n"
    with wire.connected(service.port) as client:
        client.send(f"{head}\r\n".encode())
        reply = client.expect()
        assert (reply.status, reply.json()["code"]) == (401, "unauthorized")
        assert reply.headers["connection"] == "close"
        assert client.ended()
    with wire.connected(service.port) as client:
        client.send(f"{head}X-API-Key: {ALICE}\r\n\r\n".encode())
        assert client.expect().status == 100


def test_a_client_that_sends_everything_first(service: Running) -> None:
    """Its 401 is not lost to it."""
    with wire.connected(service.port) as client:
        client.send(b"POST /same HTTP/1.1\r\nHost: x\r\nContent-Length: 40000000\r\n\r\n")
        for _ in range(40):
            client.send(b" " * 1_000_000)
        assert client.expect().status == 401
        assert client.ended()


def test_pipelined(service: Running) -> None:
    """Each request on a connection has a key of its own, or none."""
    key, wrong = f"X-API-Key: {ALICE}", "X-API-Key: nobody-has-this-one"
    with wire.connected(service.port) as client:
        client.send(
            wire.post("/square", BODY, key)
            + wire.post("/square", BODY)
            + wire.post("/bobs", BODY, key)
            + wire.post("/square", BODY, wrong)
            + wire.post("/square", BODY, f"authorization: bearer {BOB}")
        )
        assert [client.expect().status for _ in range(5)] == [200, 401, 403, 401, 200]


def test_http_1_0(service: Running) -> None:
    """Older clients are asked too, and let go."""
    for headers, status in (([], 401), ([f"X-API-Key: {ALICE}"], 200)):
        with wire.connected(service.port) as client:
            client.send(wire.post("/square", BODY, *headers, version="1.0"))
            assert client.expect().status == status
            assert client.ended()


def test_owners_routes(service: Running) -> None:
    """A route of the owner's that asks for the principal gets its name, in an inner app too; without one it is 401."""
    for path in ("/who", "/inner/who"):
        assert httpx.get(service.url + path, headers=bearer(BOB)).json() == "bob"
        assert httpx.get(service.url + path, headers={"X-API-Key": ALICE}).json() == "alice"
    assert_problem(service.get("/who"), 401, "unauthorized")
    assert service.get("/inner/who").status_code >= 400


def test_refusals_are_counted(service: Running) -> None:
    """Prometheus sees how many were refused and why."""
    service.post("/bobs", {"x": 3})
    service.post("/bobs", {"x": 3}, headers=bearer(ALICE))
    lines = [line for line in service.get("/metrics").text.splitlines() if 'endpoint="bobs"' in line]
    for code in ("unauthorized", "forbidden"):
        assert any(f'"{code}"' in line and not line.endswith(" 0") for line in lines), code


def test_the_contract_says_so(service: Running) -> None:
    """The document has the schemes, and which operation needs a key, the owner's routes included."""
    document = service.get("/openapi.json").json()
    either: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
    assert document["paths"]["/square"]["post"]["security"] == either
    assert document["paths"]["/who"]["get"]["security"] == either
    assert "security" not in document["paths"]["/open"]["post"]
    assert set(document["components"]["securitySchemes"]) == {"bearer", "apiKey"}


def test_who_asked_is_in_the_log(service: Running) -> None:
    """Where the log names a request it names its principal too."""
    headers = {**bearer(ALICE), "X-Request-ID": "failing"}
    assert_problem(service.post("/act", {"do": "raise"}, headers=headers), 500, "predict-failed")
    service.wait_log("request failing of alice")


def test_no_child_has_the_variable(service: Running) -> None:
    """The keys are in the environment of the process that was given them, and of no other."""
    assert "TRIAL_KEYS" in psutil.Process(service.pid).environ()
    others = [process for process in service.marked.processes() if process.pid != service.pid]
    assert len(others) >= 2 + len(endpoints())
    for process in others:
        assert "TRIAL_KEYS" not in process.environ()
        assert not any(key in " ".join(process.cmdline()) for key in KEYS)
    assert "TRIAL_KEYS" not in service.get("/environment").json()


def test_a_new_file_needs_no_restart(tmp_path: Path) -> None:
    """Keys come and go with the file; a broken one changes nothing; another HTTP process begins with the newest."""
    file = tmp_path / "keys"
    file.write_text(f"# ours\nalice:{ALICE}\n")
    path = config(tmp_path, {"square": square()}, auth={"keys": "file:keys"})
    with serving(path) as service:

        def statuses() -> list[int]:
            return [service.post("/square", {"x": 3}, headers=bearer(key)).status_code for key in (ALICE, BOB)]

        assert statuses() == [200, 401]
        file.write_text(f"alice:{ALICE}\nbob:sha256:{BOBS_HASH}\n")
        assert eventually(lambda: statuses() == [200, 200])
        file.write_text(f"bob:{BOB}\n")
        assert eventually(lambda: statuses() == [401, 200])
        file.write_text(f"{ALICE}\n")
        service.wait_log("its line 1 has no")
        assert statuses() == [401, 200]
        os.kill(service.http_pid, 9)
        service.wait_log("the HTTP process ended")
        assert eventually(lambda: ready(service))
        assert statuses() == [401, 200], "keys that were taken away stay away"
        assert not any(key in service.log() for key in KEYS)


def ready(service: Running) -> bool:
    """Whether the service can answer, though it may not even listen."""
    try:
        return service.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (None, "there is no such variable"),
        ("", "holds no keys"),
        (ALICE, "entry 1 has no"),
        (f"alice:{ALICE},bob:{ALICE}", "entry 2 has the key of entry 1"),
    ],
)
@pytest.mark.parametrize("command", ["serve", "check"])
def test_keys_that_make_no_sense(tmp_path: Path, command: str, keys: str | None, problem: str) -> None:
    """Neither command takes them for none: exit code 3, one sentence, and no key in it."""
    path = config(tmp_path, {"square": square()}, auth={"keys": "env:TRIAL_KEYS"})
    env = {name: value for name, value in os.environ.items() if name != "TRIAL_KEYS"}
    said = subprocess.run(
        [sys.executable, "-m", "litgen_runtime", command, "--config", path],
        cwd=ROOT,
        env=env if keys is None else {**env, "TRIAL_KEYS": keys},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 3
    assert problem in said.stderr
    assert "keys new NAME" in said.stderr
    assert ALICE not in said.stderr + said.stdout


def _is_ready(log: Path) -> bool:
    return "ready" in log.read_text()


def test_an_open_service_says_so(tmp_path: Path) -> None:
    """Without keys nothing is asked; an address that others reach is warned of once, unless it is meant."""
    reached = {"host": "0.0.0.0"}
    for name, service, auth, warnings in (
        ("silent", {}, None, 0),
        ("told", reached, None, 1),
        ("meant", reached, {"keys": False}, 0),
    ):
        (tmp_path / name).mkdir()
        path = config(tmp_path / name, {"square": square()}, service, auth=auth)
        log = tmp_path / f"{name}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "litgen_runtime", "serve", "--config", path], cwd=ROOT, stderr=file
            )
        try:
            assert eventually(partial(_is_ready, log))
        finally:
            process.terminate()
            assert process.wait(30) == 0
        assert log.read_text().count("may use every endpoint: auth.keys is not set") == warnings


def test_many_at_once(service: Running) -> None:
    """Under load everybody gets what is theirs."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        keys = [ALICE, BOB, "nobody-has-this-one"] * 20
        posted = pool.map(lambda key: service.post("/bobs", {"x": 3}, headers=bearer(key)).status_code, keys)
        assert list(posted) == [403, 200, 401] * 20
