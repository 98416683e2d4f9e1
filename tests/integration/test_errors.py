"""Requests that are not right, and what comes back (docs/behavior.md, 2)."""

import json
from collections.abc import Iterator

import httpx
import pytest

from tests import wire
from tests.services import Running, act, assert_problem, config, endpoint, serving, square

pytestmark = pytest.mark.xdist_group("errors")

LIMIT = 200_000


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service for all of these; whatever they send, its processes are the same in the end."""
    endpoints = {
        "square": square(),
        "repeat": endpoint("basic:Repeat", "/repeat", "Echo", "Echo"),
        "act": act(),
    }
    path = config(tmp_path_factory.mktemp("errors"), endpoints, {"max_json_bytes": LIMIT, "body_timeout_s": 60.0})
    with serving(path) as running:
        before = sorted(process.pid for process in running.marked.processes())
        yield running
        assert sorted(process.pid for process in running.marked.processes()) == before
        assert running.post("/square", {"x": 3}).json() == {"x": 9}
        assert "inside the runtime" not in running.log()


def send(service: Running, body: bytes, path: str = "/square", **headers: str) -> httpx.Response:
    """Send a body as JSON."""
    return service.post(path, content=body, headers={"Content-Type": "application/json", **headers})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"x": 1} trailing',
        b"\xff\xfe",
        b'{"x": "\xff"}',
        b'\xef\xbb\xbf{"x": 1}',
        '{"x": 1}'.encode("utf-16"),
        b"{'x': 1}",
        b'{"x": 01}',
        b'{"x": \x00}',
        b"[" * 30_000,
        b"[" * 100_000,
        b'{"a":' * 5_000,
        b"[" * 50_000 + b"]" * 50_000,
        b'{"x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    ],
    ids=range(16),
)
def test_not_json(service: Running, body: bytes) -> None:
    """A body that is not JSON, however long or deep, is 400 invalid-json."""
    assert_problem(send(service, body), 400, "invalid-json")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"null", ""),
        (b"[]", ""),
        (b'"x"', ""),
        (b"{}", "/x"),
        (b'{"x": null}', "/x"),
        (b'{"x": "three"}', "/x"),
        (b'{"x": [1]}', "/x"),
        (b'{"x": 1e999}', "/x"),
        (b'{"x": ' + b"9" * 400 + b"}", "/x"),
        (b'{"x": 1, "x": "two"}', "/x"),
        (b'{"x": 10000000}', "/x"),
        (b'{"x": "' + b"a" * 100_000 + b'"}', "/x"),
    ],
    ids=range(12),
)
def test_not_the_schema(service: Running, body: bytes, pointer: str) -> None:
    """JSON that is not the request model is 422 and names the field, above 64 KiB too."""
    problem = assert_problem(send(service, body), 422, "invalid-input")
    assert problem["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"text": "a", "inner": {"b": [1, "c"]}}', "/inner/b/1"),
        (b'{"text": "a", "inner": {"a/b~c": [null]}}', "/inner/a~1b~0c/0"),
        (b'{"text": 1}', "/text"),
        (b'{"text": "\\ud800"}', None),
        (b'{"text": "a", "inner": {"\\ud800": 1}}', None),
    ],
)
def test_nested_fields(service: Running, body: bytes, pointer: str | None) -> None:
    """A field deep inside is named by its JSON pointer; what UTF-8 cannot say is a 4xx too."""
    answer = send(service, body, "/repeat")
    assert answer.status_code in (400, 422)
    problem = assert_problem(answer, answer.status_code, answer.json()["code"])
    if pointer is not None:
        assert problem["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("digits", [5_000, 70_000])
def test_huge_integers(service: Running, digits: int) -> None:
    """An integer that no parser wants is a 4xx that says where it stands."""
    answer = send(service, b'{"x": ' + b"9" * digits + b"}")
    problem = assert_problem(answer, answer.status_code, answer.json()["code"])
    assert answer.status_code in (400, 422)
    assert "out of range at line 1 column" in problem["detail"] or "/x" in problem["detail"]


def test_many_wrong_fields(service: Running) -> None:
    """A body with thousands of mistakes gets an answer of reasonable size that counts them."""
    body = json.dumps({"text": "a", "inner": {"b": ["x"] * 9_000}}).encode()
    answer = send(service, body, "/repeat")
    problem = assert_problem(answer, 422, "invalid-input")
    assert len(answer.content) < 10_000
    assert "8999 more" in problem["detail"]


def test_duplicate_keys(service: Running) -> None:
    """Of a key that comes twice, the last value counts, as in Python's json."""
    assert send(service, b'{"x": 2, "x": 3}').json() == {"x": 9}


def test_unicode_survives(service: Running) -> None:
    """Text of every plane comes back as it went in."""
    text = "na\u00efve \u4f60\u597d \U0001f600 \u0000 \u2028 null NaN"
    assert service.post("/repeat", {"text": text}).json()["text"] == text


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/xml", "x", ""])
def test_wrong_media_type(service: Running, kind: str) -> None:
    """A body of another type is 415."""
    assert_problem(send(service, b'{"x": 1}', **{"Content-Type": kind}), 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "application/problem+json", None]
)
def test_right_media_type(service: Running, kind: str | None) -> None:
    """JSON types, parameters, and no type at all are taken."""
    headers = {} if kind is None else {"Content-Type": kind}
    answer = service.post("/square", content=b'{"x": 2}', headers=headers)
    assert answer.json() == {"x": 4}
    assert answer.headers["content-type"] == "application/json"


def padded(size: int) -> bytes:
    """Return a valid body of exactly so many bytes."""
    return b'{"x": 2' + b" " * (size - 8) + b"}"


@pytest.mark.parametrize("chunked", [False, True])
def test_body_at_the_limit(service: Running, chunked: bool) -> None:
    """A body of exactly the limit passes, one byte more is 413, by length and chunked."""

    def content(size: int) -> bytes | Iterator[bytes]:
        return iter([padded(size)[:1000], padded(size)[1000:]]) if chunked else padded(size)

    assert service.post("/square", content=content(LIMIT)).json() == {"x": 4}
    answer = service.post("/square", content=content(LIMIT + 1))
    problem = assert_problem(answer, 413, "payload-too-large")
    assert str(LIMIT) in problem["detail"]


def test_body_far_over_the_limit(service: Running) -> None:
    """A huge body is refused by its declared length before any of it is sent."""
    with wire.connected(service.port) as client:
        client.send(b"POST /square HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000000\r\n\r\n")
        assert client.expect().status == 413
        assert client.ended()


@pytest.mark.parametrize("chunked", [False, True])
def test_the_answer_reaches_a_client_that_only_sends(service: Running, chunked: bool) -> None:
    """413 is readable for a client that first sends all of a body of 20 MB."""
    with wire.connected(service.port) as client:
        framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 20000000"
        client.send(b"POST /square HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n\r\n")
        for _ in range(20):
            client.send(wire.chunk(b"x" * 1_000_000) if chunked else b"x" * 1_000_000)
        reply = client.expect()
    assert (reply.status, reply.json()["code"]) == (413, "payload-too-large")


@pytest.mark.parametrize(("limit", "size"), [("2KB", 2_000), ("1KiB", 1_024), (100, 100)])
def test_limits_are_sizes_or_integers(tmp_path_factory: pytest.TempPathFactory, limit: str | int, size: int) -> None:
    """max_json_bytes takes "2KB" as well as an integer, and small bodies pass."""
    path = config(tmp_path_factory.mktemp("limit"), {"square": square()}, {"max_json_bytes": limit})
    with serving(path) as service:
        assert service.post("/square", content=padded(size)).status_code == 200
        assert service.post("/square", content=padded(size + 1)).status_code == 413
        assert service.post("/square", {"x": 1}).status_code == 200


def test_the_default_limit(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without a choice, 10 MB pass and one byte more does not."""
    with serving(config(tmp_path_factory.mktemp("limit"), {"square": square()})) as service:
        assert service.post("/square", content=padded(10_000_000)).json() == {"x": 4}
        assert service.post("/square", content=padded(10_000_001)).status_code == 413


@pytest.mark.parametrize(
    "path", ["/nowhere", "/", "/square/", "/Square", "//square", "/shutdown", "/%ff%00", "/a%0d%0ab"]
)
def test_no_such_path(service: Running, path: str) -> None:
    """A path that nothing serves is 404, /shutdown too while it is off."""
    assert_problem(service.post(path, {"x": 1}), 404, "not-found")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize(("path", "allow"), [("/square", "POST"), ("/openapi.json", "GET")])
def test_method_not_allowed(service: Running, method: str, path: str, allow: str) -> None:
    """Another method is 405 and says which are allowed."""
    if method == allow:
        return
    answer = httpx.request(method, service.url + path)
    assert_problem(answer, 405, "method-not-allowed")
    assert allow in answer.headers["allow"].split(", ")


@pytest.mark.parametrize("path", ["/square", "/nowhere", "/livez"])
@pytest.mark.parametrize("given", ["a", "A-z_0.9", "x" * 128])
def test_request_id_comes_back(service: Running, path: str, given: str) -> None:
    """A well-formed X-Request-ID comes back, with errors too."""
    answer = service.post(path, {"x": "y"}, headers={"X-Request-ID": given})
    assert answer.headers.get_list("x-request-id") == [given]
    assert answer.json()["request_id"] == given


@pytest.mark.parametrize("path", ["/square", "/nowhere", "/livez"])
@pytest.mark.parametrize("given", [b"", b"x" * 129, b"a b", b"a\xe9", b"a;b", b"a\tb", b"<script>"])
def test_request_id_is_replaced(service: Running, path: str, given: bytes) -> None:
    """Any other X-Request-ID is replaced."""
    answer = service.post(path, {"x": 1}, headers=[(b"X-Request-ID", given)])
    [replaced] = answer.headers.get_list("x-request-id")
    assert len(replaced) == 32
    assert replaced.encode() != given


def test_request_id_cannot_inject_headers(service: Running) -> None:
    """Line breaks in a header value never reach the answer or the log."""
    with wire.connected(service.port) as client:
        client.send(
            b'POST /square HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\nX-Evil: b\r\nContent-Length: 8\r\n\r\n{"x": 1}'
        )
        reply = client.expect()
    assert "x-evil" not in reply.headers
    assert b"X-Evil" not in reply.body


def test_each_request_has_an_id_of_its_own(service: Running) -> None:
    """Without X-Request-ID the answers' ids differ."""
    ids = {service.post("/square", {"x": 1}).headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5
