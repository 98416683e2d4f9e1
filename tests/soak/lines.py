"""HTTP/1.1 by hand in asyncio: clients that read when they like, leave when they like, and check every byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Mapping
from typing import Any

from tests.soak.answers import Answer

_READ_BYTES = 65_536
_SMALL_BUFFER = 65_536
PATIENCE_S = 40.0  # longer than any answer may take; what takes longer is lost


class Cut(Exception):
    """The connection ended before the answer was whole."""


class Line:
    """One connection that reads nothing unless told to."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._rest = b""
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def open(cls, port: int, *, deaf: bool = False) -> Line:
        """Connect to a port of 127.0.0.1; ``deaf``: with hardly any room for what is not read."""
        sock = socket.socket()
        sock.setblocking(False)
        if deaf:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port)), PATIENCE_S)
        except BaseException as error:
            sock.close()
            if isinstance(error, OSError):
                raise Cut from None
            raise
        return cls(sock)

    async def send(self, data: bytes) -> None:
        """Send bytes; one that has been hung up on is still read from: the answer may be there already."""
        with contextlib.suppress(ConnectionError, TimeoutError):
            await asyncio.wait_for(self._loop.sock_sendall(self.sock, data), PATIENCE_S)

    async def answer(self) -> Answer:
        """Read one whole answer.

        Raises:
            Cut: the connection ended instead.
            TimeoutError: there is none, for much longer than it may take.
        """
        return await self.rest(*await self.begin())

    async def rest(self, status: int, headers: Mapping[str, str]) -> Answer:
        """Read the body behind the headers; raises as ``answer`` does."""
        async with asyncio.timeout(PATIENCE_S):
            if headers.get("transfer-encoding") == "chunked":
                pieces = []
                while piece := await self.chunk():
                    pieces.append(piece)
                return Answer(status, headers, b"".join(pieces))
            return Answer(status, headers, await self._take(int(headers["content-length"])))

    async def begin(self) -> tuple[int, Mapping[str, str]]:
        """Read status and headers only, of a stream above all."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._head()

    async def chunk(self) -> bytes:
        """Read one chunk of a body; empty at its end."""
        async with asyncio.timeout(PATIENCE_S):
            size = int(await self._line(), 16)
            data = await self._take(size)
            if await self._take(2) != b"\r\n":
                raise ValueError("a chunk without its end")
            return data

    def surplus(self) -> bytes:
        """Return what has come that nobody has read yet, without waiting."""
        with contextlib.suppress(OSError):
            self._rest += self.sock.recv(_READ_BYTES)
        return self._rest

    def close(self, *, reset: bool = False) -> None:
        """Hang up, politely or with a reset."""
        if reset:
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    async def _head(self) -> tuple[int, dict[str, str]]:
        version, status, *_ = (await self._line()).split()
        if version != b"HTTP/1.1":
            raise ValueError(f"no HTTP/1.1: {version!r}")
        headers = {}
        while line := await self._line():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return int(status), headers

    async def _line(self) -> bytes:
        while b"\r\n" not in self._rest:
            await self._read()
        line, _, self._rest = self._rest.partition(b"\r\n")
        return line

    async def _take(self, size: int) -> bytes:
        pieces = [self._rest]
        have = len(self._rest)
        while have < size:
            self._rest = b""
            await self._read()
            pieces.append(self._rest)
            have += len(self._rest)
        whole = b"".join(pieces)
        self._rest = whole[size:]
        return whole[:size]

    async def _read(self) -> None:
        try:
            data = await self._loop.sock_recv(self.sock, _READ_BYTES)
        except ConnectionError:
            raise Cut from None
        if not data:
            raise Cut
        self._rest += data


def post(path: str, key: str, body: bytes, *headers: str) -> bytes:
    """Return the bytes of a POST with its id."""
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", f"X-Request-ID: {key}", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def get(path: str, key: str) -> bytes:
    """Return the bytes of a GET with its id."""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Request-ID: {key}\r\n\r\n".encode()


async def fetch(port: int, path: str, key: str = "probe") -> tuple[int, bytes]:
    """GET a page on a connection of its own.

    Raises:
        Cut: the service hung up.
    """
    line = await Line.open(port)
    try:
        await line.send(get(path, key))
        answer = await line.answer()
    finally:
        line.close()
    return answer.status, answer.body


async def document(port: int, path: str) -> Any:
    """GET a JSON document, whatever its status."""
    return json.loads((await fetch(port, path))[1])
