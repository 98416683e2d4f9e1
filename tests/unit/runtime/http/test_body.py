from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime import Upload
from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.errors import (
    CannotStore,
    DeadlineExceeded,
    InvalidInput,
    Loading,
    PayloadTooLarge,
    QueueFull,
    UnsupportedMediaType,
)
from litgen_runtime.http.body import ClientGone, JsonReader, RawReader, Reader, reader_for
from litgen_runtime.http.messages import Head, Message, Receive, head_of
from litgen_runtime.http.pieces import Gathered
from litgen_runtime.http.spool import Spool
from litgen_runtime.settings import EndpointSettings
from litgen_runtime.transport.bodies import SpooledBody, unpack_body
from tests.unit.runtime.fakes import run, turns
from tests.unit.runtime.mini import choices

MIB = 1_048_576


def endpoint(**more: Any) -> EndpointSettings:
    """Return the choices of an endpoint."""
    return choices(**more).endpoints["embed"]


def head(**headers: str) -> Head:
    """Return the headers of a request."""
    return head_of([(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()])


def sending(chunks: list[bytes], *, leaves: bool = False, then: Any = None) -> Receive:
    """Return the channel of a client that sends chunks; ``leaves``: it goes before the end."""
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.disconnect"} if leaves else {"type": "http.request"})

    async def receive() -> Message:
        if len(messages) == 1 and then is not None:
            await then()
        return messages.pop(0)

    return receive


def dispatcher(**more: Any) -> Dispatcher:
    """Return the queue of an endpoint without workers."""
    return Dispatcher("embed", endpoint(**more), lambda *_: None)


def collected(chunks: list[bytes], limit: int = 10, *, leaves: bool = False, **headers: str) -> bytes:
    """Take a JSON body that arrives in chunks; in the end it counts no longer in the queue's bound."""

    async def main() -> bytes:
        queue = dispatcher()
        reader = JsonReader(queue, Any, limit)
        try:
            return await reader._arriving(sending(chunks, leaves=leaves), head(**headers), 10.0)
        finally:
            assert queue._waiting.arriving == 0

    return run(main())


@given(st.lists(st.binary(max_size=5), max_size=5), st.integers(1, 20))
def test_chunks(chunks: list[bytes], limit: int) -> None:
    """A body is the sum of its chunks, or too large: never cut, never longer than the limit."""
    whole = b"".join(chunks)
    if len(whole) <= limit:
        assert collected(chunks, limit) == whole
    else:
        with pytest.raises(PayloadTooLarge):
            collected(chunks, limit)


async def nothing() -> Message:
    """Refuse to be read."""
    raise AssertionError("nothing should be read")


@pytest.mark.parametrize("declared", ["11", "99999999999999999999"])
def test_declared_too_large(declared: str) -> None:
    """A body that says it is too large is refused before any of it is read; the limit is named."""

    async def main() -> None:
        with pytest.raises(PayloadTooLarge, match="max_json_bytes of 10 bytes") as refused:
            await JsonReader(dispatcher(), Any, 10).read(nothing, head(content_length=declared), 1.0)
        assert refused.value.headers == {"Connection": "close"}

    run(main())


@pytest.mark.parametrize("declared", ["-1", "x", ""])
def test_declared_nonsense(declared: str) -> None:
    """A length that is no number is the protocol's matter; what arrives is still bounded."""
    with pytest.raises(PayloadTooLarge):
        collected([b"0123456789", b"x"], content_length=declared)


@pytest.mark.parametrize("chunks", [[], [b"some"]])
def test_client_leaves(chunks: list[bytes]) -> None:
    """A client that leaves half-way is nobody to answer."""
    with pytest.raises(ClientGone):
        collected(chunks, leaves=True)


def test_a_body_that_is_here() -> None:
    """A body that is all there is checked as one that arrives is."""

    async def main() -> None:
        reader = JsonReader(dispatcher(), list[int], 10)
        assert reader.take(head(), b"[1, 2]") == b"[1, 2]"
        with pytest.raises(InvalidInput):
            reader.take(head(), b'["a"]')
        with pytest.raises(PayloadTooLarge):
            reader.take(head(), b"[1, 2, 3, 4]")
        with pytest.raises(UnsupportedMediaType):
            reader.take(head(content_type="text/plain"), b"[1]")

    run(main())


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, identity"])
def test_content_encoding(raw: bool, encoding: str) -> None:
    """A body that is compressed is refused by name before it is read."""

    async def main() -> None:
        queue = dispatcher()
        reader = RawReader(queue, 10, None, list) if raw else JsonReader(queue, Any, 10)  # type: ignore[arg-type]  # never used
        with pytest.raises(UnsupportedMediaType, match=encoding) as refused:
            await reader.read(nothing, head(content_encoding=encoding), 1.0)
        assert refused.value.headers == {"Accept-Encoding": "identity"}

    run(main())


def test_identity_is_no_encoding() -> None:
    """``Content-Encoding: identity`` says nothing."""

    async def main() -> bytes:
        reader = JsonReader(dispatcher(), int, 10)
        return await reader.read(sending([b"1"]), head(content_encoding="Identity"), 1.0)

    assert run(main()) == b"1"


@pytest.mark.parametrize(
    ("max_bytes", "held", "declared", "chunks", "enters"),
    [
        (10, 0, "30", [b"x" * 30], True),  # one alone always may
        (10, 0, None, [b"x" * 8, b"x" * 22], True),
        (10, 4, "6", [b"x" * 6], True),
        (10, 4, "7", [], False),
        (10, 4, None, [b"x" * 6], True),
        (10, 4, None, [b"x" * 6, b"x"], False),
    ],
)
def test_the_queues_bound(max_bytes: int, held: int, declared: str | None, chunks: list[bytes], enters: bool) -> None:
    """What is arriving counts with what waits, as it arrives; one that says that it has no room is not begun."""

    async def main() -> None:
        queue = dispatcher(queue={"max_bytes": max_bytes})
        queue.reserve(held)
        headers = {} if declared is None else {"content_length": declared}
        reading = JsonReader(queue, Any, 1000)._arriving(sending(chunks), head(**headers), 1.0)
        if enters:
            assert await reading == b"".join(chunks)
        else:
            with pytest.raises(QueueFull) as refused:
                await reading
            assert refused.value.headers["Retry-After"]
        assert queue._waiting.arriving == held

    run(main())


async def forever() -> None:
    """Let a client wait."""
    await asyncio.sleep(1000)


def test_what_is_announced_takes_no_room() -> None:
    """Clients that announce bodies and send nothing hold nothing; what has come counts, wherever it is kept."""

    async def main() -> None:
        queue = dispatcher(queue={"max_bytes": 100}, timeout_s=30)
        reader = JsonReader(queue, Any, 1000)
        gathered = [Gathered() for _ in range(20)]
        for each in gathered:
            each.add(b"x")  # before its request is begun with
        reading = [
            asyncio.ensure_future(reader._arriving(sending([], then=forever), head(content_length="80"), 5.0, each))
            for each in gathered
        ]
        await turns()
        assert queue.arriving_bytes == 20
        gathered[0].add(b"x" * 69)
        assert queue.arriving_bytes == 89
        with pytest.raises(QueueFull, match=r"0 requests \(0 bytes\) wait .* 89 bytes of others are still arriving"):
            gathered[0].add(b"x" * 12)
        assert queue.arriving_bytes == 89
        late = await asyncio.gather(*reading, return_exceptions=True)
        assert all(isinstance(error, DeadlineExceeded) for error in late)
        assert "only 70 bytes of it" in str(late[0])
        assert queue.arriving_bytes == 0
        gathered[0].add(b"x" * 1000)  # behind its answer
        assert queue.arriving_bytes == 0

    run(main())


def test_the_queues_size_holds_at_the_first_byte() -> None:
    """A queue that is full of requests lets no body begin."""

    async def main() -> None:
        queue = dispatcher(queue={"max_size": 1})
        queue.submit(b"{}", 1000.0)
        with pytest.raises(QueueFull):
            await JsonReader(queue, Any, 100)._arriving(nothing, head(content_length="3"), 1.0)

    run(main())


@pytest.mark.parametrize(("timeout_s", "at_most_s", "expected"), [(2, 5.0, "2"), (5, 2.0, "2"), (False, 2.0, "2")])
def test_the_time_runs_while_the_body_arrives(timeout_s: object, at_most_s: float, expected: str) -> None:
    """``timeout_s`` and the client's own limit hold before the body is there, and the answer says that it was not."""

    async def main() -> None:
        queue = dispatcher(timeout_s=timeout_s)
        with pytest.raises(DeadlineExceeded, match=f"within {expected} s") as late:
            await JsonReader(queue, Any, 9)._arriving(sending([b"{"], then=forever), head(), at_most_s)
        own = at_most_s < 5.0
        assert f"s{', the X-Request-Timeout of this request' * own}: the body had not arrived" in late.value.detail
        assert "only 1 bytes of it" in late.value.detail
        assert ("raise endpoints.embed.timeout_s" in late.value.detail) is not own
        assert late.value.headers == {"Connection": "close"}
        assert queue._waiting.arriving == 0

    run(main())


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """Return a spool in a folder of its own."""
    return Spool(str(tmp_path / "spool"))


def files(spool: Spool) -> list[Path]:
    """Return what is on disk, once the threads have done what they were given."""
    spool._threads.submit(lambda: None).result()
    spool._threads.shutdown()
    return list(Path(spool._folder).iterdir())


async def raw_read(spool: Spool, chunks: list[bytes], **more: Any) -> bytes:
    """Take a raw body."""
    queue = dispatcher()
    try:
        receive = sending(chunks, leaves=more.pop("leaves", False))
        reader = RawReader(queue, more.pop("limit", 100 * MIB), spool, lambda: None)
        return await reader.read(receive, head(content_type="image/png", **more), 10.0)
    finally:
        assert queue._waiting.arriving == 0


@pytest.mark.parametrize("size", [0, 1, 300_000, MIB])
@pytest.mark.parametrize("declared", [True, False])
def test_small_bodies_stay_in_memory(spool: Spool, size: int, declared: bool) -> None:
    """Up to 1 MiB a body travels itself, with its type."""
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    chunks = [data[start : start + 100_000] for start in range(0, size, 100_000)]
    body = asyncio.run(raw_read(spool, chunks, **({"content_length": str(size)} if declared else {})))
    assert unpack_body(body) == ("image/png", size, data, None)
    assert files(spool) == []


@pytest.mark.parametrize("declared", [True, False])
def test_large_bodies_go_to_disk(spool: Spool, declared: bool) -> None:
    """Past 1 MiB a body is in a private file, whole, until it is discarded."""
    data = bytes(range(256)) * (3 * MIB // 256) + b"end"
    chunks = [data[start : start + 70_000] for start in range(0, len(data), 70_000)]
    body = asyncio.run(raw_read(spool, chunks, **({"content_length": str(len(data))} if declared else {})))
    assert isinstance(body, SpooledBody)
    sent = unpack_body(body)
    assert (sent.content_type, sent.size, body.size) == ("image/png", len(data), len(data))
    path = Path(str(sent.path))
    assert path.read_bytes() == data
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    body.discard()
    body.discard()
    assert files(spool) == []


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"leaves": True}, ClientGone),
        ({"limit": 2 * MIB}, PayloadTooLarge),
        ({"content_length": str(200 * MIB)}, PayloadTooLarge),
    ],
)
def test_nothing_is_left_of_a_body_that_is_not_taken(
    spool: Spool, more: dict[str, Any], error: type[Exception]
) -> None:
    """A client that leaves, or sends too much, leaves no file."""
    with pytest.raises(error):
        asyncio.run(raw_read(spool, [b"x" * MIB] * 3, **more))
    assert files(spool) == []


def test_nothing_is_left_when_the_time_is_over(spool: Spool) -> None:
    """A body that is too slow leaves no file, although a write may be under way."""

    async def main() -> None:
        queue = dispatcher(timeout_s=0.2)
        receive = sending([b"x" * MIB] * 3, then=lambda: asyncio.sleep(10))
        with pytest.raises(DeadlineExceeded):
            await RawReader(queue, 100 * MIB, spool, lambda: None).read(receive, head(), 10.0)

    asyncio.run(main())
    assert files(spool) == []


@pytest.fixture
def little_room() -> Iterator[None]:
    """Let no file of this process grow past 2 MiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MIB, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("little_room")
def test_a_full_disk(spool: Spool) -> None:
    """A body that the disk does not take is 507, with the reason for the owner alone, and leaves no file."""
    with pytest.raises(CannotStore) as refused:
        asyncio.run(raw_read(spool, [b"x" * MIB] * 4))
    assert "File too large" in str(refused.value.log)
    assert str(spool._folder) not in refused.value.detail
    assert files(spool) == []


def test_loading_is_said_before_the_body_is_taken(spool: Spool) -> None:
    """An endpoint that is not ready takes no upload."""

    def admit() -> None:
        raise Loading("Not yet.")

    with pytest.raises(Loading):
        RawReader(None, 10, spool, admit).admit()  # type: ignore[arg-type]  # never asked


@pytest.mark.parametrize(("request_type", "reader"), [(bytes, RawReader), (Upload, RawReader), (int, JsonReader)])
def test_the_kind_follows_from_the_type(spool: Spool, request_type: Any, reader: type[Reader]) -> None:
    """``bytes`` and ``Upload`` are taken as they come; the folder is made for them alone."""
    asked = []

    def made() -> Spool:
        asked.append(request_type)
        return spool

    async def main() -> Reader:
        return reader_for(request_type, dispatcher(), choices().service, made, lambda: None)

    assert type(run(main())) is reader
    assert bool(asked) is (reader is RawReader)
