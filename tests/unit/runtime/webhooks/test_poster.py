"""Single attempts at real listeners on this machine: those that are not allowed see no connection."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop
from yarl import URL

from litgen_runtime.errors import WebhookUrlNotChecked, WebhookUrlRejected
from litgen_runtime.jobs.delivery import Callback, Delivery, DeliveryStatus, Posting
from litgen_runtime.jobs.mailbox import Mailbox
from litgen_runtime.jobs.sqlite import SqliteStore
from litgen_runtime.settings.model import WebhookSettings
from litgen_runtime.webhooks.guard import Guard
from litgen_runtime.webhooks.lookups import Lookup, Lookups
from litgen_runtime.webhooks.office import Office
from litgen_runtime.webhooks.poster import Poster
from litgen_runtime.webhooks.schedule import Attempt
from litgen_runtime.webhooks.secrets import SigningKeys
from litgen_runtime.webhooks.signing import key_of, verify_webhook
from tests.receivers import SECRET, Reply, receiving

CLOSED = Guard(allow_http=True)
OPEN = Guard(allow_http=True, allow_private=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A store."""
    store = SqliteStore(tmp_path / "jobs.db")
    yield store
    store.close()


def attempt(url: str, guard: Guard, lookup: Lookup | None = None, timeout_s: float = 5.0) -> Attempt:
    """Make one."""
    delivery = Delivery("msg_1", "job_1", "job.succeeded", url, "x", DeliveryStatus.PENDING, 0.0, 0.0)
    lookups = Lookups(lookup or (lambda host: ["127.0.0.1"]), 8)
    ports = (URL(url).port or 0,)
    poster = Poster(replace(guard, ports=ports), SigningKeys([key_of(SECRET)]), timeout_s, lookups)
    return uvloop.run(poster.attempt(Posting(delivery, b"{}")))


def test_delivered() -> None:
    """What is allowed is sent, signed."""
    with receiving() as receiver:
        assert attempt(f"http://hooks.test:{receiver.port}/a%20b?c=%2F", OPEN) == Attempt(204)
        (received,) = receiver.received
    assert received.path == "/a%20b?c=%2F"
    assert received.headers["host"] == f"hooks.test:{receiver.port}"
    assert verify_webhook(received.headers, received.body, SECRET) == "msg_1"


@pytest.mark.parametrize("host", ["127.0.0.1", "hooks.test", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_inside(host: str) -> None:
    """What leads to this machine is not connected to, however it is written, even if nobody had looked before."""
    with receiving() as receiver:
        assert attempt(f"http://{host}:{receiver.port}/", CLOSED) == Attempt(
            error="its address is not allowed", blocked=True
        )
        assert receiver.connections == 0


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0177.0.0.1"])
def test_odd_numbers(host: str) -> None:
    """What the guard of the URL does not let pass does not get further here."""
    with receiving() as receiver:
        assert attempt(f"http://{host}:{receiver.port}/", CLOSED).status is None
        assert receiver.connections == 0


def test_rebinding() -> None:
    """A name that was public when it was accepted, and is this machine when it is called, is blocked."""
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    lookups = Lookups(lambda host: next(answers), 8)

    async def accept_and_send(port: int) -> Attempt:
        guard = Guard(allow_http=True, ports=(port,))
        target = guard.target(f"http://rebinding.test:{port}/")
        assert all(map(guard.allows, await lookups.addresses(target.host)))
        delivery = Delivery("msg_1", "job_1", "job.succeeded", target.url, "x", DeliveryStatus.PENDING, 0.0, 0.0)
        return await Poster(guard, SigningKeys([key_of(SECRET)]), 5.0, lookups).attempt(Posting(delivery, b"{}"))

    with receiving() as receiver:
        found = uvloop.run(accept_and_send(receiver.port))
        assert (found.blocked, receiver.connections) == (True, 0)


def test_one_address_of_several() -> None:
    """Of a name with an inner address among others the inner one is not connected to."""
    with receiving() as receiver:
        found = attempt(f"http://hooks.test:{receiver.port}/", CLOSED, lambda host: ["10.0.0.1", "127.0.0.1", "::1"])
        assert (found.blocked, receiver.connections) == (True, 0)


def test_a_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that other programs use is not asked: it would connect to anything."""
    with receiving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        assert attempt("http://hooks.test:9/", CLOSED).blocked
        assert proxy.connections == 0


def test_a_redirect_inside() -> None:
    """An answer that points elsewhere is a failure; nobody goes there."""
    with receiving() as inner, receiving(Reply(307, {"Location": f"http://127.0.0.1:{inner.port}/"})) as outer:
        assert attempt(f"http://hooks.test:{outer.port}/", OPEN) == Attempt(307, "it redirects")
        assert (outer.connections, inner.connections) == (1, 0)


def test_nobody_there() -> None:
    """A name without addresses, and a port without a listener, are failures."""

    def nothing(host: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    assert attempt("http://hooks.test:9/", OPEN, nothing) == Attempt(error="no connection")
    assert attempt("http://hooks.test:9/", OPEN, lambda host: []) == Attempt(error="no connection")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert attempt(f"http://hooks.test:{port}/", OPEN) == Attempt(error="no connection")


def _drip(server: socket.socket, first: bytes, piece: bytes, ended: threading.Event) -> None:
    client, _ = server.accept()
    with client:
        try:
            client.sendall(first)
            while not ended.wait(0.05):
                client.sendall(piece)
        except OSError:
            pass


@pytest.mark.parametrize(
    ("first", "piece", "expected"),
    [
        (b"", b"", Attempt(error="no answer in time")),
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", Attempt(error="no answer in time")),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", Attempt(error="no answer in time")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x", Attempt(200)),
        (b"SSH-2.0-OpenSSH_9.2\r\n", b"", Attempt(error="no answer")),
    ],
)
def test_dripping(first: bytes, piece: bytes, expected: Attempt) -> None:
    """Whoever answers a byte at a time is cut when the time is over; a status that was said counts."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_drip, args=(server, first, piece, ended))
        thread.start()
        began = time.monotonic()
        found = attempt(f"http://hooks.test:{server.getsockname()[1]}/", OPEN, timeout_s=1.0)
        ended.set()
        thread.join()
    assert (found.status, found.error) == (expected.status, expected.error)
    assert time.monotonic() - began < 2.5


def test_a_name_server_that_hangs() -> None:
    """One name that is not answered holds up no other, and is asked once for many that wait for it."""
    held, asked = threading.Event(), []

    def lookup(host: str) -> list[str]:
        asked.append(host)
        if host == "hanging.test":
            held.wait(20)
        return ["127.0.0.1"]

    async def ask() -> None:
        lookups = Lookups(lookup, 4)  # two for each client, where there is another one
        stuck = [asyncio.create_task(lookups.addresses("hanging.test")) for _ in range(4)]
        await asyncio.sleep(0)
        assert await asyncio.wait_for(lookups.addresses("a.test"), 2)
        assert await asyncio.wait_for(lookups.addresses("b.test"), 2)
        crowd = [asyncio.create_task(lookups.addresses(name)) for name in ("c.test", "d.test")]
        found = await asyncio.gather(*crowd, return_exceptions=True)
        assert [isinstance(each, OSError) for each in found] == [False, True], "more than may be looked up at once"
        held.set()
        assert len(await asyncio.gather(*stuck)) == 4

    uvloop.run(ask())
    assert asked.count("hanging.test") == 1


def test_names_that_hang_are_their_clients_matter(store: SqliteStore) -> None:
    """One client's leave room for another's; where there is none, the answer is none that is final."""
    held, settings = threading.Event(), WebhookSettings(secrets="env:X")

    def lookup(host: str) -> list[str]:
        if host.startswith("hanging"):
            held.wait(20)
        return ["93.184.216.34"]

    async def ask() -> None:
        office = Office(settings, SigningKeys(()), Mailbox(store), time.time, lambda *_: b"", lookup)

        def wish(name: str, whose: str) -> asyncio.Task[Callback]:
            return asyncio.create_task(office.callback(f"https://{name}.test/", frozenset({"completed"}), "", whose))

        many = [wish(f"hanging-{number}", "mallory") for number in range(70)]
        await asyncio.sleep(0)
        found = await wish("a", "alice")
        assert found.place == "a.test:443"
        refused = [each.exception() for each in many if each.done()]
        assert len(refused) == 70 - 32
        (kind,) = {type(error) for error in refused}
        assert kind is WebhookUrlNotChecked
        assert isinstance(refused[0], WebhookUrlNotChecked)
        assert refused[0].headers["Retry-After"] == "5"
        held.set()
        await asyncio.gather(*many, return_exceptions=True)

    uvloop.run(ask())


def test_tls_is_verified(tmp_path: object) -> None:
    """A listener that speaks no TLS, or shows no valid certificate, is told nothing."""
    with receiving() as receiver:
        found = attempt(f"https://hooks.test:{receiver.port}/", OPEN)
        assert found.status is None
        assert found.error is not None
        assert receiver.received == []


def test_the_guard_of_the_url_comes_first() -> None:
    """What a URL says is refused before any name is looked up."""
    with pytest.raises(WebhookUrlRejected):
        CLOSED.target("http://169.254.169.254:443/")


@pytest.mark.parametrize(
    "closed", [{"allow_hosts": ("other.test",)}, {"allow_http": False}], ids=["allow_hosts", "allow_http"]
)
def test_what_the_operator_has_closed_since(closed: dict[str, Any]) -> None:
    """A delivery that was accepted before goes there no more, though its address is as good as any."""
    with receiving() as receiver:
        found = attempt(f"http://hooks.test:{receiver.port}/", replace(OPEN, **closed))
        assert (found.blocked, receiver.connections) == (True, 0)


def test_a_thread_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is not resolved this time, and the next time it is."""

    async def ask() -> None:
        lookups = Lookups(lambda host: ["127.0.0.1"], 2)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", _refuse)
            with pytest.raises(OSError, match="too many"):
                await lookups.addresses("a.test")
        assert await asyncio.wait_for(lookups.addresses("a.test"), 2)

    uvloop.run(ask())


def _refuse(thread: threading.Thread) -> None:
    raise RuntimeError("too many threads")
