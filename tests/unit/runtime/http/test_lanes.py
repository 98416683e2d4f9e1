from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litgen_runtime.http.lanes import Lanes
from tests.unit.runtime.fakes import run, turns
from tests.unit.runtime.http.test_lane import BODY, CHUNKED, Client, post, with_client

OTHER = b'{"text": "other"}'
assert len(OTHER) == len(BODY)


def test_a_head_that_came_before() -> None:
    """It is known the second time, whatever the body and the connection."""

    async def test(client: Client) -> None:
        for body in (BODY, OTHER, BODY):
            client.protocol.data_received(post(body))
            await client.works()
            assert client.transport.written.endswith(body)
        assert client.known == 2
        client.connect()
        client.protocol.data_received(post(OTHER))
        await client.works()
        assert (client.known, client.statuses, client.through_asgi) == (3, [200, 200, 200, 200], 0)

    with_client(test)


def test_each_request_has_its_own_id_and_deadline() -> None:
    """What is known of a head is of the head alone."""

    async def test(client: Client) -> None:
        for _ in range(3):
            client.protocol.data_received(post(BODY, b"X-Request-Timeout: 5"))
            await client.works()
        ids = re.findall(rb"x-request-id: ([0-9a-f]{32})\r\n", bytes(client.transport.written))
        assert (len(ids), len(set(ids)), client.known) == (3, 3, 2)
        for name in (b"mine", b"other"):
            client.protocol.data_received(post(BODY, b"X-Request-ID: " + name))
            await client.works()
            assert client.transport.written.count(b"x-request-id: %b\r\n" % name) == 1
        assert client.known == 2

    with_client(test)


@pytest.mark.parametrize(
    "chunks",
    [
        [post() + post()],
        [CHUNKED + b"11\r\n" + BODY + b"\r\n0\r\n\r\n"],
        [post()[:20], post()[20:]],  # the rest of a head is no head
        [post()[:-1], post()[-1:] + post()],  # nor is the end of a body and the next head
        [b"\r\n", post()],
        [post(BODY, b"Connection: close")],
        [post(BODY, b"X-Long: " + b"a" * 2048)],
        [post(BODY, b"Authorization: Bearer a-key")],
        [post(BODY, b"X-API-Key: a-key")],
        [post(BODY, b"cookie: session=1")],
        [post(BODY, b"Traceparent: 00-1-2-01")],
        [post(BODY, *[b"x%d:" % number for number in range(40)])],
    ],
)
def test_what_is_not_learned(chunks: list[bytes]) -> None:
    """Only a request that came at once, all of it and nothing else, says where its head ends."""

    async def test(client: Client) -> None:
        for chunk in chunks:
            client.protocol.data_received(chunk)
        await client.works()
        await turns(10)
        assert set(client.statuses) == {200}
        known = Lanes.way_of
        assert not [chunk for chunk in chunks if known(client.lanes, chunk)]

    with_client(test)


def test_known_heads_are_bounded() -> None:
    """Clients that never send the same head twice take no memory for ever."""

    async def test(client: Client) -> None:
        for number in range(1100):
            client.protocol.data_received(post(b"{}", b"X-Trace: %d" % number))
        assert len(client.lanes._ways) <= 512
        assert client.known == 0

    with_client(test)


REQUESTS = st.sampled_from(
    [
        post(),
        post(OTHER),
        post(b"{}"),
        post(b""),
        post(BODY, b"X-Request-ID: mine"),
        post(BODY, b"X-Request-Timeout: soon"),
        post(BODY, b"Content-Type: text/plain"),
        post(BODY, b"Connection: close"),
        post(BODY, b"Expect: 100-continue"),
        post(BODY, b"Content-Length: 3"),
        post(BODY, b"Upgrade: h2c", b"Connection: Upgrade"),
        post(path=b"/other"),
        post(version=b"1.0"),
        b"\r\n" + post(),
        post() + post(OTHER),
        post().replace(b"\r\nHost: a", b""),
        CHUNKED + b"11\r\n" + BODY + b"\r\n0\r\n\r\n",
        CHUNKED + b"11\r\n" + BODY + b"\r\n0\r\nX-Trailer: \r\n\r\n",
        post(post()),
        b"GET /embed HTTP/1.1\r\nHost: a\r\n\r\n",
        b"no HTTP\r\n\r\n",
    ]
)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(REQUESTS, st.lists(st.integers(1, 120), max_size=2), st.booleans()), min_size=1, max_size=8),
)
def test_nobody_can_tell(sent: list[tuple[bytes, list[int], bool]]) -> None:
    """A client is told the same whether heads are known or always read, however its bytes come."""

    async def main() -> None:
        told = []
        for learns in (True, False):
            client = Client(learns=learns)
            for request, cuts, waits in sent:
                if client.transport.closed or client.transport.ended:
                    client.connect()
                edges = [0, *sorted(cut for cut in cuts if cut < len(request)), len(request)]
                for start, end in itertools.pairwise(edges):
                    client.protocol.data_received(request[start:end])
                if waits:
                    await client.works()
            await client.works()
            await client.works()
            told.append(
                (re.sub(rb"[0-9a-f]{32}", b"ID", client.told), client.dispatcher.stats.answers, client.transport.closed)
            )
            client.transport.close()
            await turns(5)
            assert client.lifecycle.in_flight == 0
        assert told[0] == told[1]

    run(main())
