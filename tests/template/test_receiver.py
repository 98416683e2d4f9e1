"""The receiver of webhooks that projects are given, in front of somebody who has no secret."""

import runpy
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

RECEIVER = Path(__file__).parents[2] / "examples" / "summaries" / "examples" / "receiver.py"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where it listens."""
    server = runpy.run_path(str(RECEIVER))["Receiver"](0, ["whsec_dGhlIHNlY3JldCBvZiB0aGVzZSB0ZXN0cyBhbG9uZQ=="])
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("length", "status"), [("1000000000", 413), ("-1", 413), ("many", 413), ("2", 401)])
def test_it_reads_no_more_than_a_webhook_has(port: int, length: str, status: int) -> None:
    """It answers at once, instead of waiting for what is announced, or for ever."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(f"POST /done HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{{}}".encode())
        assert client.recv(100).split()[1] == str(status).encode()
