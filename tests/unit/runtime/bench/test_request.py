from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from litgen_runtime.bench.request import Asked, UsageError, checked_url, headers_of, plan
from litgen_runtime.http.openapi import describe
from tests.unit.runtime.mini import choices

DOCUMENT = describe(choices())
BYTES: dict[str, Any] = {
    "paths": {
        "/blob": {
            "post": {
                "operationId": "blob",
                "tags": ["endpoints"],
                "requestBody": {"content": {"application/octet-stream": {"schema": {}}}},
            }
        }
    }
}


def asked(**options: Any) -> Asked:
    """Return a command line for the mini service."""
    return Asked(**{"path": "/embed", "data": '{"text": "a"}', **options})


def test_no_such_endpoint() -> None:
    """The endpoints that there are, and no probes, are named."""
    with pytest.raises(UsageError, match=r"no endpoint at '/livez'; expected one of: /embed\."):
        plan(DOCUMENT, asked(path="/livez"))


def test_no_example() -> None:
    """The message names the field and both ways out."""
    with pytest.raises(UsageError, match=r"endpoints\.embed has no example for: text\. .*examples=.*--data"):
        plan(DOCUMENT, asked(data=None))


def test_data_is_json() -> None:
    """A document on the command line is the body."""
    found = plan(DOCUMENT, asked())
    assert (found.endpoint, found.bodies) == ("embed", [b'{"text": "a"}'])
    assert found.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("prefix", ["", "@"])
def test_data_is_a_file(tmp_path: Path, prefix: str) -> None:
    """A file is named, with or without an @."""
    path = tmp_path / "body.json"
    path.write_text('{"text": "from a file"}')
    assert plan(DOCUMENT, asked(data=f"{prefix}{path}")).bodies == [b'{"text": "from a file"}']


def test_data_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """- is standard input."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"[1]")))
    assert plan(DOCUMENT, asked(data="-")).bodies == [b"[1]"]


@pytest.mark.parametrize(
    ("data", "words"), [("no-such.json", "neither a file nor JSON"), ("@no-such", "cannot be read")]
)
def test_data_is_neither(data: str, words: str) -> None:
    """What is no file and no JSON is refused before anything is started."""
    with pytest.raises(UsageError, match=words):
        plan(DOCUMENT, asked(data=data))


def test_bytes_need_data() -> None:
    """Of bytes there is no example."""
    with pytest.raises(UsageError, match=r"takes bytes.*--data FILE"):
        plan(BYTES, asked(path="/blob", data=None))


def test_bytes_are_sent_as_they_are(tmp_path: Path) -> None:
    """A file for an endpoint that takes bytes needs to be no JSON."""
    path = tmp_path / "body"
    path.write_bytes(b"\xff\x00")
    found = plan(BYTES, asked(path="/blob", data=str(path), content_type="image/png"))
    assert found.bodies == [b"\xff\x00"]
    assert found.headers["Content-Type"] == "image/png"


def test_message() -> None:
    """The whole message is well-formed HTTP/1.1, under the path of the URL."""
    target = plan(DOCUMENT, asked(headers=["Authorization: Bearer x"])).target("http://127.0.0.1:8000/prefix")
    head, _, body = target.requests[0].partition(b"\r\n\r\n")
    assert (target.host, target.port, target.tls) == ("127.0.0.1", 8000, False)
    assert head.startswith(b"POST /prefix/embed HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n")
    assert b"\r\nAuthorization: Bearer x\r\n" in head
    assert head.endswith(b"\r\nContent-Length: %d" % len(body))
    assert json.loads(body) == {"text": "a"}


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", "http://", "nonsense"])
def test_bad_url(url: str) -> None:
    """An address that cannot be asked is refused."""
    with pytest.raises(UsageError, match="expected http://HOST:PORT"):
        checked_url(url)


@pytest.mark.parametrize("header", ["no colon", ": no name", "X: a\r\nY: b"])
def test_bad_header(header: str) -> None:
    """A header that cannot be sent is refused."""
    with pytest.raises(UsageError, match="expected 'Name: value'"):
        headers_of([header])
