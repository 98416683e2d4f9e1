"""Receivers of webhooks for the tests: real listeners that remember what they were sent."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_" + "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


class Received(NamedTuple):
    """One POST. ``headers``: by lower-case name."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def webhook_id(self) -> str:
        """The id that it came with."""
        return self.headers["webhook-id"]

    @property
    def document(self) -> dict[str, Any]:
        """What it says."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class Reply(NamedTuple):
    """What is answered, after so many seconds."""

    status: int = 204
    headers: Mapping[str, str] = MappingProxyType({})
    after_s: float = 0.0
    body: bytes = b""


_OK = Reply()
Says = Callable[[int, Received], Reply]


class Receiver:
    """One listener on 127.0.0.1; ``says`` is given how many have come before, and the request."""

    def __init__(self, says: Says) -> None:
        self.received: list[Received] = []
        self.connections = 0
        self.stopped = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received = Received(self.path, headers, body, time.monotonic())
                receiver.received.append(received)
                reply = says(len(receiver.received) - 1, received)
                receiver.stopped.wait(reply.after_s)
                with contextlib.suppress(OSError):
                    self.send_response(reply.status)
                    for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(reply.body)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def process_request(self, request: Any, client_address: Any) -> None:
                receiver.connections += 1
                super().process_request(request, client_address)

            def handle_error(self, *_: object) -> None:
                """A client that leaves is part of the tests."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"


@contextlib.contextmanager
def receiving(says: Says | Reply = _OK, certificate: tuple[Path, Path] | None = None) -> Iterator[Receiver]:
    """Listen; with a certificate and its key, over TLS."""
    receiver = Receiver((lambda _, __: says) if isinstance(says, Reply) else says)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        receiver.server.socket = context.wrap_socket(
            receiver.server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.stopped.set()
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join()
