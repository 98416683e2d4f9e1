"""HTTP by hand, for what a well-behaved client would not send."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

WAIT_S = 20.0


@dataclass
class Reply:
    """One answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body.decode("utf-8"))


class Wire:
    """A raw connection.

    Args:
        sock: the connected socket.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._rest = b""

    def send(self, data: bytes) -> None:
        """Send bytes, as far as the other side takes them."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(data)

    def reply(self) -> Reply | None:
        """Read one answer; None when the connection ends instead."""
        while b"\r\n\r\n" not in self._rest:
            if not self._read():
                return None
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        code = int(status.split()[1])
        size = 0 if code == 100 else int(headers.get("content-length", 0))
        while len(self._rest) < size:
            if not self._read():
                break
        body, self._rest = self._rest[:size], self._rest[size:]
        return Reply(code, headers, body)

    def expect(self) -> Reply:
        """Read one answer that has to come."""
        reply = self.reply()
        assert reply is not None, "the connection ended without an answer"
        return reply

    def ended(self) -> bool:
        """Wait for the other side's end; False if it sends something instead."""
        return not self._rest and not self._read()

    def _read(self) -> bool:
        try:
            data = self.sock.recv(65_536)
        except ConnectionResetError:
            return False
        self._rest += data
        return bool(data)


@contextlib.contextmanager
def connected(port: int, timeout_s: float = WAIT_S) -> Iterator[Wire]:
    """Open a connection to a port of 127.0.0.1."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as sock:
        yield Wire(sock)


def post(path: str, body: bytes, *headers: str, version: str = "1.1") -> bytes:
    """Return the bytes of a whole POST request."""
    lines = [f"POST {path} HTTP/{version}", "Host: x", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode("latin-1") + body


def get(path: str, *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    """Return the bytes of a whole request without a body."""
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *headers, "", ""]).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n" % len(data) + data + b"\r\n"
