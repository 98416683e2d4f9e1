from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.errors import HTTPError, PredictFailed, RequestError
from litgen_runtime.http.body import Arrival, Chunks, JsonReader, Reader
from litgen_runtime.http.door import Call, Door
from litgen_runtime.http.lifecycle import Lifecycle, WorkerState
from litgen_runtime.http.messages import Head, Receive, head_of
from litgen_runtime.http.pieces import Gathered
from litgen_runtime.transport.bodies import spooled_body
from litgen_runtime.transport.frames import Result
from tests.unit.runtime.fakes import FakeWorker, Reply, ask, run, turns
from tests.unit.runtime.mini import Ask, choices

GOOD = b'{"text": "hello"}'


class Broken(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def refuse(cls, value: str) -> str:
        raise KeyError("secret")


class House:
    """A door with everything behind it."""

    def __init__(self, request: Any = Ask, limit: int = 1_000_000, **endpoint: Any) -> None:
        self.dispatcher = Dispatcher("embed", choices(**endpoint).endpoints["embed"], lambda *_: None)
        self.lifecycle = Lifecycle([WorkerState(0, "embed[0]", "embed", "cpu")], asyncio.get_running_loop().time)
        self.door = Door(self.dispatcher, JsonReader(self.dispatcher, request, limit), self.lifecycle)

    def open(self) -> FakeWorker:
        self.lifecycle.loading(0)
        self.lifecycle.ready(0, 1.0)
        return FakeWorker(self.dispatcher).ready()

    async def answered(self, worker: FakeWorker, results: list[tuple[int, bytes]], **request: Any) -> Reply:
        """Ask while a worker gives these answers."""
        asking = asyncio.ensure_future(ask(self.door, **{"body": GOOD, **request}))
        await turns(5)
        worker.read()
        runs = [worker.waiting.pop(key) for key in list(worker.waiting)]
        worker.answer([Result(r.id, status, 0.1, body) for r, (status, body) in zip(runs, results, strict=True)])
        return await asking


def reply_to(
    body: bytes | list[bytes] = GOOD, headers: Mapping[str, str] | None = None, method: str = "POST", **house: Any
) -> Reply:
    """Return the answer of a house whose worker never answers."""

    async def main() -> Reply:
        home = House(**house)
        home.open()
        reply = await ask(home.door, method, "/embed", body, headers)
        assert home.lifecycle.in_flight == 0
        return reply

    return run(main())


def test_answer() -> None:
    """A request is answered with the worker's bytes, and the worker gets the client's bytes."""

    async def main() -> Reply:
        home = House()
        worker = home.open()
        reply = await home.answered(worker, [(200, b'{"length":5}')], headers={"x-request-id": "mine"})
        assert worker.received == [1]
        return reply

    reply = run(main())
    assert (reply.status, reply.body) == (200, b'{"length":5}')
    assert reply.headers == {"content-type": "application/json", "content-length": "12", "x-request-id": "mine"}


def test_models_own_error() -> None:
    """An ``HTTPError`` of the model arrives as it was raised."""

    async def main() -> Reply:
        home = House()
        error = HTTPError(429, "Slow down.", {"Retry-After": "7"})
        return await home.answered(home.open(), [(429, error.to_json())])

    reply = run(main())
    assert (reply.status, reply.json["detail"], reply.headers["retry-after"]) == (429, "Slow down.", "7")
    assert reply.headers["content-type"] == "application/problem+json"


def test_models_exception(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """What the model's exception says is in the log under the request's id, and not in the answer."""
    monkeypatch.setattr(logging.getLogger("litgen_runtime"), "propagate", True)

    async def main() -> Reply:
        home = House()
        error = PredictFailed("It failed.", log="ValueError: secret")
        return await home.answered(home.open(), [(500, error.to_json())])

    reply = run(main())
    assert reply.json["code"] == "predict-failed"
    assert b"secret" not in reply.body
    assert f"embed: request {reply.json['request_id']}: ValueError: secret" in caplog.messages


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_method(method: str) -> None:
    """Only POST; 405 names it."""
    reply = reply_to(method=method)
    assert (reply.status, reply.json["code"], reply.headers["allow"]) == (405, "method-not-allowed", "POST")


@pytest.mark.parametrize(
    "given", ["text/plain", "multipart/form-data; boundary=x", "application/xml", "application", ""]
)
def test_media_type(given: str) -> None:
    """A body that says it is not JSON is refused, and told what is taken."""
    reply = reply_to(headers={"content-type": given})
    assert (reply.status, reply.json["code"], reply.headers["accept-post"]) == (
        415,
        "unsupported-media-type",
        "application/json",
    )


@pytest.mark.parametrize(
    "given", [None, "application/json", "application/JSON; charset=utf-8", "application/ld+json", "application/json;"]
)
def test_json_media_types(given: str | None) -> None:
    """JSON in any spelling is taken, and so is no type at all."""
    headers = {} if given is None else {"content-type": given}
    assert reply_to(headers=headers, timeout_s=1).status == 504


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid-json"),
        (b"{", 400, "invalid-json"),
        (b'{"text": "\xff"}', 400, "invalid-json"),
        (b"[" * 60_000, 400, "invalid-json"),
        (b"{}", 422, "invalid-input"),
        (b'{"text": 3}', 422, "invalid-input"),
        (b"null", 422, "invalid-input"),
    ],
)
def test_bad_body(body: bytes, status: int, code: str) -> None:
    """A bad body is refused before it takes a place in the queue."""

    async def main() -> RequestError:
        home = House(queue={"max_size": 1})
        home.open()
        home.dispatcher.submit(b"", 1000.0)
        home.dispatcher.submit(b"", 1000.0)
        home.dispatcher.submit(b"", 1000.0)  # the queue is full: a good request would be 503
        with pytest.raises(RequestError) as refused:
            home.door.submit(Call(head_of([]), 1000.0), body)
        assert home.lifecycle.in_flight == 0
        return refused.value

    error = run(main())
    assert (error.status, error.code) == (status, code)


def test_field_errors() -> None:
    """The answer names the field for people and for programs."""
    reply = reply_to(b'{"text": 3}')
    assert reply.json["detail"].startswith("/text: ")
    assert reply.json["errors"][0]["pointer"] == "/text"


def test_large_body_is_the_workers_to_judge() -> None:
    """Past 64 KiB a body is not parsed twice."""

    async def main() -> int:
        home = House()
        worker = home.open()
        reply = await home.answered(worker, [(200, b"{}")], body=b"x" * 65_537)
        return reply.status

    assert run(main()) == 200


@pytest.mark.parametrize("headers", [{"content-length": "11"}, {}])
def test_too_large(headers: dict[str, str]) -> None:
    """A body over the limit is 413 by its length, and by what arrives without one."""
    reply = reply_to([b"x" * 6, b"x" * 5], headers, limit=10)
    assert (reply.status, reply.json["code"]) == (413, "payload-too-large")
    assert reply.headers["connection"] == "close"


def test_client_leaves() -> None:
    """A client that leaves before its request is whole gets nothing, and counts no longer."""
    assert reply_to([]).status == 0


def test_loading() -> None:
    """Before a worker has ever been ready the answer is 503 loading, and says what is awaited."""

    async def main() -> Reply:
        home = House()
        home.lifecycle.loading(0)
        return await ask(home.door, body=GOOD)

    reply = run(main())
    assert (reply.status, reply.json["code"], reply.headers["retry-after"]) == (503, "loading", "1")
    assert "embed[0]: loading (0.0 s)" in reply.json["detail"]


def test_replacement_is_waited_for() -> None:
    """While a worker is being replaced requests queue, up to their deadline."""

    async def main() -> Reply:
        home = House(timeout_s=5)
        worker = home.open()
        worker.die()
        home.lifecycle.lost(0, "restarting", "SIGKILL")
        return await ask(home.door, body=GOOD)

    assert run(main()).json["code"] == "timeout"


def test_full() -> None:
    """A full queue is 503 at once, with the time to come back."""

    async def main() -> Reply:
        home = House(queue={"max_size": 1})
        home.open().die()
        home.dispatcher.submit(b"", 1000.0)
        return await ask(home.door, body=GOOD)

    reply = run(main())
    assert (reply.status, reply.json["code"], reply.headers["retry-after"]) == (503, "queue-full", "5")


def test_refusing() -> None:
    """While the service refuses newcomers the answer closes the connection, and nothing is in flight."""

    async def main() -> Reply:
        home = House()
        home.open()
        home.lifecycle.refusing = True
        reply = await ask(home.door, body=GOOD)
        assert home.lifecycle.in_flight == 0
        return reply

    reply = run(main())
    assert (reply.status, reply.json["code"], reply.headers["connection"]) == (503, "draining", "close")


def test_owners_validator_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request model that breaks is a 500 without its words."""
    monkeypatch.setattr(logging.getLogger("litgen_runtime.http.door"), "disabled", True)
    reply = reply_to(request=Broken)
    assert (reply.status, reply.json["code"]) == (500, "internal-error")
    assert b"secret" not in reply.body


def test_malformed_request_id() -> None:
    """An id that could break a log or a header is replaced, the same one in header and document."""
    reply = reply_to(b"{", {"x-request-id": "a b"})
    assert reply.headers["x-request-id"] == reply.json["request_id"] != "a b"


@pytest.mark.parametrize("given", ["0", "-1", "soon", "nan", "inf", "", "1_000", "0x10", "\u0661", "1e", "0e0", "+1"])
def test_what_is_no_request_timeout(given: str) -> None:
    """X-Request-Timeout is a number of seconds above 0, as JSON writes it, or 400."""
    reply = reply_to(headers={"x-request-timeout": given.encode().decode("latin-1")})
    assert (reply.status, reply.json["code"]) == (400, "invalid-header")


@pytest.mark.parametrize("given", ["0.5", "5e-1", ".5", "0.5e0"])
def test_request_timeout(given: str) -> None:
    """It shortens the client's wait."""
    assert "within 0.5 s" in reply_to(headers={"x-request-timeout": given}).json["detail"]


@pytest.mark.parametrize("given", ["1000000", "1e400"])
def test_a_request_timeout_that_is_longer(given: str) -> None:
    """It never lengthens it."""
    assert "within 2 s" in reply_to(headers={"x-request-timeout": given}, timeout_s=2).json["detail"]


def test_answer_type() -> None:
    """A door of an endpoint that gives bytes says what they are."""

    async def main() -> Reply:
        home = House()
        home.door = Door(home.dispatcher, JsonReader(home.dispatcher, Ask, 1000), home.lifecycle, "image/png")
        return await home.answered(home.open(), [(200, b"\x89PNG")])

    reply = run(main())
    assert (reply.headers["content-type"], reply.body) == ("image/png", b"\x89PNG")


class OnDisk(Reader):
    """Takes every body for one that stands in a file."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__(dispatcher, 1000, "max_upload_bytes")
        self.discarded = 0

    def admit(self) -> None:
        """Let it come."""

    def take(self, head: Head, body: bytes) -> bytes:
        raise NotImplementedError

    async def read(self, receive: Receive, head: Head, at_most_s: float, gathered: Gathered | None = None) -> bytes:
        return spooled_body(b"", "/path", 1000, b"", self._discard)

    async def _collect(self, chunks: Chunks, head: Head, arrival: Arrival) -> bytes:
        raise NotImplementedError

    def _discard(self) -> None:
        self.discarded += 1


@pytest.mark.parametrize(
    ("case", "status"), [("answered", 200), ("late", 504), ("full", 503), ("loading", 503), ("broken", 500)]
)
def test_a_body_on_disk_is_discarded(case: str, status: int) -> None:
    """Whatever becomes of the request, its file goes."""

    async def main() -> tuple[int, int]:
        home = House(timeout_s=1, queue={"max_bytes": 10})
        reader = OnDisk(home.dispatcher)
        home.door = Door(home.dispatcher, reader, home.lifecycle)
        worker = home.open() if case != "loading" else None
        if case == "full" and worker is not None:
            worker.die()
            home.dispatcher.submit(b"{}", 1000.0)
        if case in ("answered", "broken") and worker is not None:
            failure = PredictFailed("It failed.").to_json()
            reply = await home.answered(worker, [(status, b"{}" if case == "answered" else failure)])
        else:
            reply = await ask(home.door)
        return reply.status, reader.discarded

    assert run(main()) == (status, 1)
