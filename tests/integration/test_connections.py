"""Clients that are slow, silent, wrong or gone (docs/behavior.md, 2)."""

import contextlib
import json
import os
import re
import resource
import signal
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import wire
from tests.services import Running, act, config, eventually, serving, square

pytestmark = pytest.mark.xdist_group("connections")

HEADER_S, BODY_S = 1.0, 1.5
LATE_S = 3.0  # the sweep comes twice a second; the rest is for a busy machine


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service with short limits for clients; it is unharmed in the end and has logged no fault of its own."""
    limits = {"header_timeout_s": HEADER_S, "body_timeout_s": BODY_S, "max_json_bytes": "50MB"}
    path = config(tmp_path_factory.mktemp("connections"), {"square": square(), "act": act()}, limits)
    with serving(path) as running:
        before = sorted(process.pid for process in running.marked.processes())
        yield running
        assert running.post("/square", {"x": 3}).json() == {"x": 9}
        assert eventually(lambda: running.get("/health").json()["in_flight"] == 0)
        assert sorted(process.pid for process in running.marked.processes()) == before
        assert all(word not in running.log() for word in ("inside the runtime", "ASGI", "http/server.py"))


@pytest.fixture
def client(service: Running) -> Iterator[wire.Wire]:
    """A raw connection to it."""
    with wire.connected(service.port) as connection:
        yield connection


def assert_refused(reply: wire.Reply | None, status: int, code: str) -> None:
    """Check a problem that was written without the app."""
    assert reply is not None
    assert (reply.status, reply.json()["code"]) == (status, code)
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["connection"] == "close"
    assert reply.json()["request_id"] == reply.headers["x-request-id"]


def command(action: str, **more: Any) -> bytes:
    """Return the body that tells ``Act`` what to do."""
    return json.dumps({"do": action, **more}).encode()


@pytest.mark.parametrize("sent", [b"", b"P", b"POST /square HTTP/1.1\r\nHost: x\r\nX-A: b"])
def test_headers_that_never_come(client: wire.Wire, sent: bytes) -> None:
    """A connection without complete headers is cut after header_timeout_s, with 408 or without a word."""
    client.send(sent)
    began = time.monotonic()
    reply = client.reply()
    if reply is not None:
        assert_refused(reply, 408, "client-too-slow")
        assert client.ended()
    assert HEADER_S - 0.1 <= time.monotonic() - began < HEADER_S + LATE_S


def test_headers_that_drip(client: wire.Wire) -> None:
    """Bytes that keep coming do not extend the limit."""
    client.sock.settimeout(0.1)
    client.send(b"POST /square HTTP/1.1\r\nHost: x\r\nX-Drip: ")
    began = time.monotonic()
    while time.monotonic() - began < HEADER_S + LATE_S:
        client.send(b"a")
        try:
            assert_refused(client.reply(), 408, "client-too-slow")
        except TimeoutError:
            continue
        break
    assert HEADER_S - 0.1 <= time.monotonic() - began < HEADER_S + LATE_S


@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_bodies_that_never_end(client: wire.Wire, framing: str) -> None:
    """A body that is not complete within body_timeout_s is 408, even while it drips."""
    client.send(f"POST /square HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode())
    client.sock.settimeout(0.2)
    began = time.monotonic()
    reply = None
    while reply is None and time.monotonic() - began < BODY_S + LATE_S:
        client.send(b" " if "Length" in framing else wire.chunk(b" "))
        try:
            reply = client.reply()
            break
        except TimeoutError:
            continue
    assert_refused(reply, 408, "client-too-slow")
    assert BODY_S - 0.1 <= time.monotonic() - began < BODY_S + LATE_S


def test_an_idle_connection_is_not_cut_between_requests(client: wire.Wire) -> None:
    """header_timeout_s does not count the pause between two requests."""
    for _ in range(2):
        client.send(wire.get("/livez"))
        assert client.expect().status == 200
        time.sleep(HEADER_S + 1)
    client.send(wire.get("/livez"))
    assert client.expect().status == 200


@pytest.mark.parametrize("size", [70_000, 200_000, 5_000_000])
@pytest.mark.parametrize("shape", ["one", "many", "url", "endless"])
def test_a_huge_header_block(service: Running, shape: str, size: int) -> None:
    """Headers over 64 KiB are 431, whether in one line, in many, in the URL, or without an end."""
    block = {
        "one": b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * size + b"\r\n\r\n",
        "many": b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"X-A: aaaaaaaaaa\r\n" * (size // 17) + b"\r\n",
        "url": b"GET /livez?" + b"a" * size + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        "endless": b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * size,
    }[shape]
    with wire.connected(service.port) as client:
        client.send(block)
        reply = client.reply()
        if reply is None:
            assert size > 1_000_000, "only a client that is still sending may miss the answer"
        else:
            assert_refused(reply, 431, "headers-too-large")
            assert client.ended()


def test_large_headers_within_the_limit(client: wire.Wire) -> None:
    """30 KB of headers are fine, on a second request of the connection too."""
    for _ in range(3):
        client.send(wire.get("/livez", "X-A: " + "a" * 30_000))
        assert client.expect().status == 200


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"GET /livez HTTP/9.9\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nno colon here\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n: empty\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /square HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /square HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /square HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /square HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /square HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n" * 10 + b"\x00",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /livez HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET /livez HTTP/0.9\r\n\r\n",
        b"GET /livez\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
    ],
    ids=range(21),
)
def test_what_is_not_http(client: wire.Wire, garbage: bytes) -> None:
    """Bytes that are not HTTP/1.1 are 400 invalid-http, and the connection is closed."""
    client.send(garbage)
    assert_refused(client.reply(), 400, "invalid-http")
    assert client.ended()


def test_options_star(client: wire.Wire) -> None:
    """A request for no path in particular gets a 4xx problem."""
    client.send(wire.get("*", method="OPTIONS"))
    reply = client.expect()
    assert 400 <= reply.status < 500
    assert reply.headers["content-type"] == "application/problem+json"


def test_pipelined_requests_are_answered_in_order(client: wire.Wire) -> None:
    """Requests sent without waiting are answered one by one, in order, slow ones and errors among them."""
    numbers = range(20)
    requests = [wire.post("/square", b'{"x": %d}' % number) for number in numbers]
    slow = wire.post("/act", command("sleep", seconds=0.5))
    client.send(slow + b"".join(requests) + wire.post("/square", b"{") + wire.get("/nowhere") + requests[7])
    assert client.expect().json()["value"] == 0.5
    assert [client.expect().json()["x"] for _ in numbers] == [number * number for number in numbers]
    assert [client.expect().status for _ in range(3)] == [400, 404, 200]


@pytest.mark.parametrize(
    ("behind", "statuses"),
    [
        (b"POST /square HTTP/1.1\r\nHos", {408}),
        (b'POST /square HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n{"x"', {408}),
        (b"garbage\r\n\r\n", {400}),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 100_000, {408, 431}),
    ],
    ids=["headers", "body", "garbage", "huge"],
)
def test_what_comes_behind_a_slow_request_does_not_harm_it(
    client: wire.Wire, behind: bytes, statuses: set[int]
) -> None:
    """A slow request gets its own answer first, whatever is pipelined behind it; then that gets its own."""
    client.send(wire.post("/act", command("sleep", seconds=2.5)))
    client.send(behind)
    first = client.expect()
    assert (first.status, first.json().get("value")) == (200, 2.5)
    second = client.reply()
    if second is not None:
        assert second.status in statuses
    assert client.ended()


def test_a_pipelined_body_may_come_later(client: wire.Wire) -> None:
    """The time that we let a pipelined request wait is not held against its client."""
    client.send(wire.post("/act", command("sleep", seconds=2.5)))
    client.send(b"POST /square HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n")
    assert client.expect().status == 200
    client.send(b'{"x": 5}')
    assert client.expect().json() == {"x": 25}


def test_expect_continue(client: wire.Wire) -> None:
    """Expect: 100-continue is answered before the body is sent."""
    client.send(b"POST /square HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n")
    assert client.expect().status == 100
    client.send(b'{"x": 4}')
    assert client.expect().json() == {"x": 16}


def test_expect_continue_of_too_much(client: wire.Wire) -> None:
    """A body that would be too large is refused before it is sent."""
    client.send(b"POST /square HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 50000001\r\n\r\n")
    assert client.expect().status == 413
    assert client.ended()


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        ("POST /square HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000", 413, "payload-too-large"),
        ("POST /square HTTP/1.1\r\nHost: x\r\nContent-Length: 49000000\r\nX-Request-Timeout: 0.001", 504, "timeout"),
        ("POST /square HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip", 501, "unsupported-transfer-encoding"),
        ("POST /nowhere HTTP/1.0\r\nContent-Length: 60000000", 404, "not-found"),
        ("no HTTP", 400, "invalid-http"),
    ],
)
def test_a_client_that_sends_everything_first(client: wire.Wire, head: str, status: int, code: str) -> None:
    """An answer that comes before the whole body is not lost to a client that only reads when it has sent it all."""
    client.sock.sendall(head.encode() + b"\r\n\r\n")
    for _ in range(48):
        client.sock.sendall(b" " * 1_000_000)  # which fails if the connection has been reset
    assert_refused(client.reply(), status, code)
    assert client.ended()


def test_a_client_that_never_ends(client: wire.Wire) -> None:
    """One that goes on sending behind its answer is let do so for a short time only."""
    began = time.monotonic()
    client.sock.sendall(b"POST /square HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n")

    def is_reset() -> bool:
        try:
            client.sock.sendall(b" ")
        except (ConnectionResetError, BrokenPipeError):
            return True
        return False

    assert eventually(is_reset)
    assert 1.5 < time.monotonic() - began < 2 + LATE_S


@pytest.mark.parametrize("header", ["X: y", "Connection: keep-alive"])
def test_http_1_0(client: wire.Wire, header: str) -> None:
    """An HTTP/1.0 request is answered and its connection closed."""
    client.send(wire.post("/square", b'{"x": 2}', header, version="1.0").replace(b"Host: x\r\n", b""))
    reply = client.expect()
    assert (reply.json(), reply.headers["connection"]) == ({"x": 4}, "close")
    assert client.ended()


def test_blanks_behind_values(client: wire.Wire) -> None:
    """Blanks and tabs behind a header's value are no part of it."""
    client.send(
        b"POST /square HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked \r\nX-Request-Timeout: 5 \r\n"
        b"X-Request-ID: abc\t\r\nContent-Type: application/json \r\n\r\n" + wire.chunk(b'{"x": 3}') + b"0\r\n\r\n"
    )
    reply = client.expect()
    assert (reply.status, reply.headers["x-request-id"], reply.json()) == (200, "abc", {"x": 9})


def test_connection_close(client: wire.Wire) -> None:
    """Connection: close is obeyed."""
    client.send(wire.get("/livez", "Connection: close"))
    assert client.expect().status == 200
    assert client.ended()


@pytest.mark.parametrize("upgrade", ["websocket", "h2c"])
def test_an_upgrade_is_ignored(client: wire.Wire, upgrade: str) -> None:
    """A request that offers another protocol is answered in this one."""
    client.send(wire.post("/square", b'{"x": 2}', "Connection: Upgrade, HTTP2-Settings", f"Upgrade: {upgrade}"))
    assert client.expect().json() == {"x": 4}
    with wire.connected(client.sock.getpeername()[1]) as another:
        another.send(wire.get("/livez", "Connection: Upgrade", f"Upgrade: {upgrade}"))
        assert another.expect().status == 200


def test_chunks_of_every_size(client: wire.Wire) -> None:
    """A body in chunks of one byte, with extensions and trailers, is read."""
    client.send(b"POST /square HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for byte in b'{"x": 12}':
        client.send(b"1;extension=1\r\n%c\r\n" % byte)
    client.send(b"0\r\nX-Trailer: a\r\n\r\n")
    assert client.expect().json() == {"x": 144}


def test_requests_in_single_bytes(client: wire.Wire) -> None:
    """A request that comes byte by byte is answered like any other."""
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in wire.post("/square", b'{"x": 12}'):
        client.send(bytes([byte]))
    assert client.expect().json() == {"x": 144}


def test_a_body_that_is_not_read(client: wire.Wire) -> None:
    """After a refusal that does not read the body, the connection's next request is still understood."""
    client.send(wire.post("/nowhere", b'{"x": 1}') + wire.post("/square", b'{"x": 3}'))
    assert client.expect().status == 404
    assert client.expect().json() == {"x": 9}
    body = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 10
    client.send(
        b"GET /square HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body + wire.get("/readyz")
    )
    assert client.expect().status == 405
    assert client.expect().json()["status"] == "ready"


def vanish(client: wire.Wire) -> None:
    """End a connection with a reset."""
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.sock.close()


def test_clients_that_vanish(service: Running) -> None:
    """Clients that leave in headers, in a body, or while they wait, leave nothing behind."""
    sent = [
        b"POST /square HTTP/1.1\r\nHost: x\r\nHo",
        b"POST /square HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        b"POST /square HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        wire.post("/act", command("sleep", seconds=0.2)),
        wire.post("/act", command("large", number=5_000_000)),
        wire.post("/act", command("raise")) * 3,
    ]
    for data in sent * 2:
        with wire.connected(service.port) as client:
            client.send(data)
            time.sleep(0.05)
            vanish(client)
    assert eventually(lambda: service.get("/health").json()["in_flight"] == 0)
    assert service.post("/square", {"x": 2}).json() == {"x": 4}


def test_a_client_that_half_closes(client: wire.Wire) -> None:
    """A client that has nothing more to say still gets its answer, or a closed connection."""
    client.send(wire.post("/square", b'{"x": 2}'))
    client.sock.shutdown(socket.SHUT_WR)
    reply = client.reply()
    assert reply is None or reply.json() == {"x": 4}
    assert client.ended()


def test_a_half_close_is_a_leave(service: Running, client: wire.Wire) -> None:
    """Nobody works on for a client that has ended its direction: it is taken for one that is gone."""
    client.send(wire.post("/act", command("sleep", seconds=3)))
    assert eventually(lambda: service.get("/health").json()["in_flight"] == 1, 2.0)
    client.sock.shutdown(socket.SHUT_WR)
    assert eventually(lambda: service.get("/health").json()["in_flight"] == 0, 1.5)
    assert client.reply() is None


@pytest.mark.parametrize("behind", [b"", b"GET /livez HT"])
def test_a_client_that_does_not_read(service: Running, behind: bytes) -> None:
    """A client that leaves its answer unread is cut after body_timeout_s, whatever it sends behind."""
    with wire.connected(service.port) as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(wire.post("/act", command("large", number=40_000_000)) + behind)

        def connections() -> int:
            address = client.sock.getsockname()[1]
            return sum(f"{address:04X}" in line.split()[2] for line in tcp(service) if line.split()[3] == "01")

        assert eventually(lambda: connections() == 1)
        time.sleep(1)
        assert eventually(lambda: connections() == 0, HEADER_S + BODY_S + 10)


def test_answers_that_nobody_takes(service: Running) -> None:
    """For a client that pipelines and does not read, there are two answers at most; the rest has not begun."""

    def answered() -> int:
        found = re.search(r'litgen_requests_total\{endpoint="act",status="200"\} (\d+)', service.get("/metrics").text)
        return int(found[1]) if found else 0

    before, memory = answered(), psutil.Process(service.http_pid).memory_info().rss
    with wire.connected(service.port) as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(wire.post("/act", command("large", number=20_000_000)) * 20)
        assert eventually(lambda: answered() - before >= 2)
        time.sleep(0.5)
        assert answered() - before == 2
        assert psutil.Process(service.http_pid).memory_info().rss - memory < 150_000_000


def tcp(service: Running) -> list[str]:
    """Return the kernel's list of connections at the service's port."""
    lines = Path(f"/proc/{service.pid}/net/tcp").read_text().splitlines()
    return [line for line in lines if line.split()[1].endswith(f":{service.port:04X}")]


def test_many_silent_connections(service: Running) -> None:
    """300 silent connections do not keep others out, and are gone after the limit."""
    silent = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(300)]
    try:
        for _ in range(5):
            assert service.post("/square", {"x": 2}).json() == {"x": 4}
            assert service.get("/readyz").status_code == 200
        for sock in silent:
            sock.settimeout(HEADER_S + LATE_S)
            while sock.recv(65_536):
                pass
    finally:
        for sock in silent:
            sock.close()


def test_bodies_that_are_only_announced(service: Running) -> None:
    """Clients that announce far more than the queue's bytes and send little of it keep nobody out."""
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            sender = stack.enter_context(wire.connected(service.port))
            sender.send(b"POST /square HTTP/1.1\r\nHost: x\r\nContent-Length: 40000000\r\n\r\n1")
        assert eventually(lambda: 'litgen_arriving_bytes{endpoint="square"} 30.0' in service.get("/metrics").text)
        assert service.post("/square", {"x": 3}).json() == {"x": 9}


@pytest.mark.parametrize("declared", [100_000, 2_000_000])
def test_how_much_of_a_late_body_has_come(client: wire.Wire, declared: int) -> None:
    """A client whose body is late is told how much of it has come, and that its own limit was over."""
    head = f"POST /square HTTP/1.1\r\nHost: x\r\nX-Request-Timeout: 0.5\r\nContent-Length: {declared}\r\n\r\n"
    client.send(head.encode() + b" " * 50_000)
    reply = client.reply()
    assert_refused(reply, 504, "timeout")
    assert reply is not None
    detail = reply.json()["detail"]
    assert detail.startswith("square did not answer within 0.5 s, the X-Request-Timeout of this request: the body had")
    assert "only 50000 bytes of it" in detail


@pytest.mark.parametrize("coding", ["gzip, chunked", "gzip\r\nTransfer-Encoding: chunked"])
def test_other_transfer_codings(client: wire.Wire, coding: str) -> None:
    """A body in a transfer coding that we do not undo is 501, and not read as if it were plain."""
    client.send(
        f"POST /square HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {coding}\r\n\r\n".encode() + wire.chunk(b'{"x": 3}')
    )
    assert_refused(client.reply(), 501, "unsupported-transfer-encoding")
    assert client.ended()


def test_a_client_that_leaves_after_a_large_body(service: Running) -> None:
    """Its leave is seen at once, although its body was larger than what we read ahead."""
    with wire.connected(service.port) as client:
        client.send(wire.post("/act", command("sleep", seconds=2, text="x" * 300_000)))
        time.sleep(0.5)
    assert eventually(lambda: service.get("/health").json()["in_flight"] == 0, 1.0)


PLACES = 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Running]:
    """A service that takes few connections; in the end it serves as before."""
    limits = {"max_connections": PLACES, "header_timeout_s": 60.0}
    with serving(config(tmp_path, {"square": square(), "act": act()}, limits)) as running:
        yield running
        assert eventually(lambda: sum(line.split()[3] == "01" for line in tcp(running)) < 5)
        assert running.post("/square", {"x": 3}).json() == {"x": 9}


def crowd(service: Running, count: int) -> list[socket.socket]:
    """Open connections that say nothing."""
    return [socket.create_connection(("127.0.0.1", service.port), timeout=10) for _ in range(count)]


def begun(service: Running, count: int) -> list[socket.socket]:
    """Open connections that have begun to ask."""
    connections = crowd(service, count)
    for connection in connections:
        connection.send(b"P")
    return connections


def close(connections: list[socket.socket]) -> None:
    """Close them."""
    for connection in connections:
        connection.close()


def test_beyond_max_connections(small: Running) -> None:
    """Beyond the bound a newcomer is told so, and may ask the probes; those inside are served on."""
    inside = begun(small, PLACES)
    try:
        for _ in range(3):
            with wire.connected(small.port) as client:
                client.send(wire.post("/square", b'{"x": 2}'))
                reply = client.reply()
                assert_refused(reply, 503, "too-many-connections")
                assert reply is not None
                assert reply.headers["retry-after"] == "1"
                assert client.ended()
        for probe in ("/livez", "/readyz", "/health"):
            assert small.get(probe).status_code == 200
        first = wire.Wire(inside[0])
        first.send(wire.post("/square", b'{"x": 2}')[1:])
        assert first.expect().json() == {"x": 4}
    finally:
        close(inside)
    assert small.log().count("newcomers are refused (service.max_connections)") == 1


def test_idle_connections_make_room(small: Running) -> None:
    """A connection that is kept alive for nothing gives its place to a newcomer, the longest idle one first."""
    inside = [wire.Wire(connection) for connection in begun(small, PLACES)]
    try:
        for client in inside[:10]:
            client.send(wire.post("/square", b'{"x": 1}')[1:])
            assert client.expect().status == 200
            time.sleep(0.01)
        newcomers = crowd(small, 10)
        for number, connection in enumerate(newcomers):
            newcomer = wire.Wire(connection)
            newcomer.send(wire.post("/square", b'{"x": %d}' % number))
            assert newcomer.expect().json() == {"x": number * number}
        assert all(client.ended() for client in inside[:10])
        inside[10].send(wire.post("/square", b'{"x": 2}')[1:])
        assert inside[10].expect().json() == {"x": 4}
        close(newcomers)
    finally:
        close([client.sock for client in inside])


def test_silent_connections_make_room(small: Running) -> None:
    """Connections that have sent nothing for a while keep no newcomer out, whatever header_timeout_s is."""
    silent = crowd(small, PLACES)
    try:
        time.sleep(1.2)
        for number in range(3):
            assert small.post("/square", {"x": number}).json() == {"x": number * number}
    finally:
        close(silent)
    assert "newcomers are refused" not in small.log()


def test_a_flood_of_connections(small: Running) -> None:
    """Far beyond the bound connections are dropped at once: descriptors and memory stay flat, probes are answered."""
    process = psutil.Process(small.http_pid)
    inside = begun(small, PLACES)
    small.get("/livez")
    memory, descriptors = process.memory_info().rss, process.num_fds()
    flood: list[socket.socket] = []
    try:
        for _ in range(15):
            flood += crowd(small, 100)
            assert small.get("/livez").status_code == 200
            assert process.num_fds() <= descriptors + 70
        assert process.memory_info().rss - memory < 10_000_000
        first = wire.Wire(inside[0])
        first.send(wire.post("/square", b'{"x": 2}')[1:])
        assert first.expect().json() == {"x": 4}
    finally:
        close(inside + flood)


def test_too_few_descriptors(tmp_path: Path) -> None:
    """A limit of open files that is too low is said at start, and connections beyond it are refused as any others."""
    with serving(config(tmp_path, {"square": square()}, {"max_connections": 5000})) as service:
        resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (300, 300))
        os.kill(service.http_pid, signal.SIGKILL)  # the next one has this limit too
        service.wait_log("this process may open 300 files, enough for 108; expected 5192")
        service.process.wait_ready()
        inside = begun(service, 108)
        with wire.connected(service.port) as client:
            client.send(wire.get("/docs"))
            assert_refused(client.reply(), 503, "too-many-connections")
        close(inside)
