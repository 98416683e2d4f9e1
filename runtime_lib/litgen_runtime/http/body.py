"""Reading a request's body within its limits: its size, its endpoint's queue, and the client's time."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable
from math import inf
from typing import Any, TypeAlias

from pydantic import TypeAdapter, ValidationError

from litgen_runtime.dispatcher import refusals
from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.errors import PayloadTooLarge, UnsupportedMediaType
from litgen_runtime.http.messages import Head, Receive
from litgen_runtime.http.pieces import Gathered, Pieces
from litgen_runtime.http.spool import Spool
from litgen_runtime.settings import ServiceSettings
from litgen_runtime.transport.bodies import content_key, inline_body, inline_head
from litgen_runtime.upload import Upload
from litgen_runtime.validation import refusal

_CHECKED_BYTES = 65_536
INLINE_BYTES = 1_048_576
_PIECE_BYTES = 262_144


Chunks: TypeAlias = AsyncIterator[bytes | bytearray]


class ClientGone(Exception):
    """The client left before its request was complete; there is nobody to answer."""


class Reader(ABC):
    """How the bodies of one endpoint are taken.

    Args:
        dispatcher: the endpoint's queue, in whose bound a body counts from its first byte.
        limit: the most bytes that are taken.
        key: what service.toml calls this limit.
    """

    def __init__(self, dispatcher: Dispatcher, limit: int, key: str) -> None:
        self._dispatcher = dispatcher
        self._limit = limit
        self._key = key

    @abstractmethod
    def admit(self) -> None:
        """Refuse the body of a call before it is sent in vain; one of a job may wait for the endpoint to load.

        Raises:
            RequestError: the endpoint takes no calls now, and the body may be large.
        """

    @abstractmethod
    def take(self, head: Head, body: bytes) -> bytes:
        """Return what the dispatcher is given for a body that is all there.

        Args:
            head: the request's headers.
            body: what came behind them.

        Raises:
            RequestError: the body is refused.
        """

    @abstractmethod
    async def read(self, receive: Receive, head: Head, at_most_s: float, gathered: Gathered | None = None) -> bytes:
        """Return what the dispatcher is given for a body that is still to come.

        Args:
            receive: the ASGI channel.
            head: the request's headers.
            at_most_s: how long the client itself will wait, in seconds.
            gathered: what has come of it, if ``receive`` gives it whole.

        Raises:
            RequestError: the body is refused.
            ClientGone: the client left.
        """

    def _bounded(self, body: bytes) -> bytes:
        if len(body) > self._limit:
            raise too_large(self._limit, self._key)
        return body

    async def _arriving(
        self, receive: Receive, head: Head, at_most_s: float, gathered: Gathered | None = None
    ) -> bytes:
        """Take a body that has not arrived yet: it counts in the queue's bound, and the time runs."""
        seconds = min(self._dispatcher.timeout_s, at_most_s)
        arrival = Arrival(self._dispatcher, self._limit, self._key)
        try:
            arrival.expect(head.content_length)
            if gathered is not None:
                gathered.on_more = arrival.reach
                arrival.reach(gathered.pieces.size)
            async with asyncio.timeout(None if seconds == inf else seconds) as timer:
                return await self._collect(_chunks(receive, gathered), head, arrival)
        except TimeoutError:
            if timer.expired():
                is_own = seconds < self._dispatcher.timeout_s
                raise refusals.not_arrived(self._dispatcher.name, seconds, arrival.held, is_own=is_own) from None
            raise
        finally:
            if gathered is not None:
                gathered.on_more = None
            arrival.release()

    @abstractmethod
    async def _collect(self, chunks: Chunks, head: Head, arrival: Arrival) -> bytes:
        """Take the body as it arrives."""


class JsonReader(Reader):
    """JSON, checked against the request model before it takes a place in the queue."""

    def __init__(self, dispatcher: Dispatcher, request: Any, limit: int) -> None:
        super().__init__(dispatcher, limit, "max_json_bytes")
        self._validator = TypeAdapter[Any](request).validator  # an adapter asks it the long way

    def admit(self) -> None:
        """Let it come: it is small enough to be judged first."""

    def take(self, head: Head, body: bytes) -> bytes:
        """Return the body."""
        if head.content_type != b"application/json" or head.content_encoding is not None:  # not the usual case
            _expect_json(head)
        return self._checked(self._bounded(body))

    async def read(self, receive: Receive, head: Head, at_most_s: float, gathered: Gathered | None = None) -> bytes:
        """Return the body."""
        _expect_json(head)
        return self._checked(await self._arriving(receive, head, at_most_s, gathered))

    def _checked(self, body: bytes) -> bytes:
        if len(body) <= _CHECKED_BYTES:  # the worker judges large ones
            try:
                self._validator.validate_json(body)
            except ValidationError as error:
                raise refusal(error) from None
        return body

    async def _collect(self, chunks: Chunks, head: Head, arrival: Arrival) -> bytes:
        body = Pieces()
        async for chunk in chunks:
            arrival.take(len(chunk))
            body.add(chunk)
        return body.joined()


class RawReader(Reader):
    """Any media type. What is large goes to disk as it arrives.

    Args:
        dispatcher: the endpoint's queue.
        limit: the most bytes that are taken.
        spool: where large bodies go.
        admit: raises when the endpoint takes no calls now.
    """

    def __init__(self, dispatcher: Dispatcher, limit: int, spool: Spool, admit: Callable[[], None]) -> None:
        super().__init__(dispatcher, limit, "max_upload_bytes")
        self._spool = spool
        self._admit = admit

    def take(self, head: Head, body: bytes) -> bytes:
        """Return the body, with its content type."""
        _expect_plain(head)
        return inline_body(head.content_type or b"", self._bounded(body))

    def admit(self) -> None:
        """Refuse a call before its body is sent in vain."""
        self._admit()

    async def read(self, receive: Receive, head: Head, at_most_s: float, gathered: Gathered | None = None) -> bytes:
        """Return the body, with its content type; it may stand in a file."""
        _expect_plain(head)
        return await self._arriving(receive, head, at_most_s, gathered)

    async def _collect(self, chunks: Chunks, head: Head, arrival: Arrival) -> bytes:
        content_type = head.content_type or b""
        file = self._spool.file(content_type)
        data = Pieces()
        try:
            async for chunk in chunks:
                arrival.take(len(chunk))
                data.add(chunk)
                if data.size >= _PIECE_BYTES and max(arrival.size, arrival.expected) > INLINE_BYTES:
                    await file.write(data.joined())
            if arrival.size <= INLINE_BYTES:
                return data.joined(inline_head(content_type, data.size))
            return await file.finish(data.joined())
        except BaseException:
            file.discard()
            raise


class Arrival:
    """The size of one body while it arrives, within its limit and within the bound of its endpoint's queue.

    Args:
        dispatcher: the endpoint's queue.
        limit: the most bytes that are taken.
        key: what service.toml calls this limit.
    """

    def __init__(self, dispatcher: Dispatcher, limit: int, key: str) -> None:
        self.size = 0
        self.expected = 0
        self.held = 0  # what has room, which is what has arrived
        self._dispatcher = dispatcher
        self._limit = limit
        self._key = key

    def expect(self, declared: bytes | None) -> None:
        """Take the word of the Content-Length header, if there is one; what has not arrived takes no room.

        Raises:
            PayloadTooLarge: it says that the body is over the limit.
            QueueFull: so many bytes have no room now.
        """
        self.expected = 0 if declared is None or not declared.isdigit() else int(declared)
        self.reach(self.expected)
        self.release()

    def take(self, count: int) -> None:
        """Count bytes that have arrived.

        Raises:
            PayloadTooLarge: the body is over the limit.
            QueueFull: it has no room.
        """
        self.size += count
        if self.size > self.held:
            self.reach(self.size)

    def reach(self, size: int) -> None:
        """Keep room for so many bytes of it.

        Raises:
            PayloadTooLarge: the body is over the limit.
            QueueFull: it has no room.
        """
        if size > self._limit:
            raise too_large(self._limit, self._key)
        self._dispatcher.reserve(size - self.held, self.held)
        self.held = size

    def release(self) -> None:
        """Give the room back: the request takes it in the queue, or is over."""
        self._dispatcher.release(self.held)
        self.held = 0


def reader_for(
    request: Any,
    dispatcher: Dispatcher,
    service: ServiceSettings,
    spool: Callable[[], Spool],
    admit: Callable[[], None],
) -> Reader:
    """Return how an endpoint's bodies are taken.

    Args:
        request: its request type.
        dispatcher: its queue.
        service: the limits.
        spool: returns where large bodies go; asked only if they are.
        admit: raises when the endpoint takes no calls now.
    """
    if request is bytes or request is Upload:
        dispatcher.know_bodies_by(content_key)
        return RawReader(dispatcher, service.max_upload_bytes, spool(), admit)
    return JsonReader(dispatcher, request, service.max_json_bytes)


def too_large(limit: int, key: str) -> PayloadTooLarge:
    """Return the refusal of a body over a limit."""
    return PayloadTooLarge(
        f"The body is larger than this service's {key} of {limit} bytes. Send less, or ask its owner.",
        {"Connection": "close"},
    )


def declared_size(headers: Iterable[tuple[bytes, bytes]]) -> float:
    """Return the Content-Length of a request, in bytes; ``inf`` if there is none that is a number."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return inf


async def _chunks(receive: Receive, gathered: Gathered | None) -> Chunks:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        for piece in gathered.pieces.taken() if gathered is not None else ():
            yield piece
        yield message.get("body", b"")
        more = message.get("more_body", False)


def _expect_plain(head: Head) -> None:
    encoding = head.content_encoding
    if encoding is not None and encoding.strip().lower() not in (b"", b"identity"):
        raise UnsupportedMediaType(
            f"The body's Content-Encoding is {encoding.decode('latin-1')!r}; send it as it is.",
            {"Accept-Encoding": "identity"},
        )


def _expect_json(head: Head) -> None:
    if head.content_type is not None and not _is_json(head.content_type):
        raise UnsupportedMediaType(
            f"The body's type is {head.content_type.decode('latin-1')!r}; send it as application/json.",
            {"Accept-Post": "application/json"},
        )
    _expect_plain(head)


def _is_json(content_type: bytes) -> bool:
    if content_type == b"application/json":
        return True
    essence = content_type.split(b";", 1)[0].strip().lower()
    return essence == b"application/json" or (essence.startswith(b"application/") and essence.endswith(b"+json"))
