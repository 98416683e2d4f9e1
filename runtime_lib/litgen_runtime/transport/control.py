"""Short JSON messages between the supervisor and the HTTP process, with open sockets passed along."""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from collections import deque
from typing import Any

_LENGTH = struct.Struct("<I")
_MAX_FDS = 32
BEAT_S = 1.0  # how often the HTTP process says that it is alive


class Control:
    """One end of the line between supervisor and HTTP process.

    Args:
        sock: one end of a stream socketpair, in blocking mode; only receiving never blocks.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = bytearray()
        self._descriptors: deque[int] = deque()

    def fileno(self) -> int:
        """The descriptor to watch for reading."""
        return self._socket.fileno()

    def send(self, message: dict[str, Any], descriptor: int | None = None) -> bool:
        """Send a message, and a descriptor with it; False when the other end is gone."""
        text = json.dumps(message | {"fd": descriptor is not None}).encode()
        data = _LENGTH.pack(len(text)) + text
        try:
            sent = 0 if descriptor is None else socket.send_fds(self._socket, [data], [descriptor])
            self._socket.sendall(data[sent:])
        except OSError:  # broken, reset, or closed here since its process has ended
            return False
        return True

    def offer(self, message: dict[str, Any]) -> None:
        """Send a message if there is room for it now: what is repeated must not wait for an end that is frozen."""
        text = json.dumps(message | {"fd": False}).encode()
        data = _LENGTH.pack(len(text)) + text
        try:
            sent = self._socket.send(data, socket.MSG_DONTWAIT)
            if sent < len(data):
                self._socket.sendall(data[sent:])
        except OSError:  # no room, or the other end is gone
            return

    def receive(self, *, wait: bool = False) -> list[dict[str, Any]]:
        """Return the messages that have arrived; a passed descriptor stands under ``"fd"``.

        Raises:
            EOFError: the other end is gone.
        """
        messages = self._parsed()
        while not messages:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(
                    65_536, socket.CMSG_SPACE(_MAX_FDS * 4), 0 if wait else socket.MSG_DONTWAIT
                )
            except BlockingIOError:
                return []
            except ConnectionResetError:
                raise EOFError from None
            self._keep(ancillary)
            if not data:
                raise EOFError
            self._buffer += data
            messages = self._parsed()
        return messages

    def close(self) -> None:
        """Close this end; the other reads EOF."""
        self._socket.close()

    def _keep(self, ancillary: list[tuple[int, int, bytes]]) -> None:
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                for descriptor in array.array("i", data[: len(data) - len(data) % 4]):
                    os.set_inheritable(descriptor, False)  # a passed descriptor comes without PEP 446
                    self._descriptors.append(descriptor)

    def _parsed(self) -> list[dict[str, Any]]:
        messages = []
        while len(self._buffer) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._buffer)[0]
            if len(self._buffer) < end:
                break
            message = json.loads(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            arrived = message["fd"] and self._descriptors  # without a free descriptor the kernel drops it on the way
            message["fd"] = self._descriptors.popleft() if arrived else None
            messages.append(message)
        return messages
