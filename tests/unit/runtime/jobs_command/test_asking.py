"""How `myservice jobs` asks: its key goes to the service alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from litgen_runtime.jobs_command.client import Client, Refused
from litgen_runtime.jobs_command.command import _key


@contextmanager
def leading_to(location: str) -> Iterator[tuple[str, list[str]]]:
    """Somebody who sends everybody elsewhere: the address, and the keys that have come."""
    seen: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            self.send_response(302)
            self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()
        thread.join()


def test_its_key_follows_no_redirect() -> None:
    """Whoever answers there may name any host, and urllib would take the key to it."""
    with leading_to("/nowhere") as (elsewhere, stolen), leading_to(f"{elsewhere}/v1/jobs") as (url, seen):
        with pytest.raises(Refused, match="302"):
            Client(url, "lg_secret").job("job_1")
        assert (seen, stolen) == (["Bearer lg_secret"], [])


def test_a_key_that_cannot_be_sent_is_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From the variable as from a file; the end of a line is no part of it."""
    monkeypatch.setenv("LITGEN_API_KEY", "lg_one\nlg_two")
    with pytest.raises(Refused, match="LITGEN_API_KEY holds no API key") as caught:
        _key(None)
    assert "lg_" not in str(caught.value)
    monkeypatch.setenv("LITGEN_API_KEY", "lg_one\n")
    assert _key(None) == "lg_one"
    monkeypatch.delenv("LITGEN_API_KEY")
    assert _key(None) is None
    file = tmp_path / "key"
    file.write_text("lg_two\n")
    assert _key(file) == "lg_two"
