from __future__ import annotations

import logging
from typing import Any, cast

import pytest

from litgen_runtime.errors import NotFound
from litgen_runtime.http.app import Front
from litgen_runtime.http.lifecycle import Lifecycle
from litgen_runtime.http.messages import App, Receive, Scope, Send, send_json
from litgen_runtime.http.site import Site
from tests.unit.runtime.fakes import ask, run


def named(name: bytes) -> App:
    """Return an app that answers with its name."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send_json(send, 200, name, b"id")

    return app


def raising(error: Exception) -> App:
    """Return an app that raises."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return app


class FakeSite:
    def __init__(self, app: App) -> None:
        self._app = app

    may_have_middleware = False

    async def app(self) -> App:
        return self._app


def front(site: App | None = None, **routes: App) -> Front:
    """Return a front with these routes."""
    elsewhere = cast("Site", FakeSite(site or named(b"the site")))
    return Front({}, {f"/{path}": app for path, app in routes.items()}, elsewhere, Lifecycle([]))


@pytest.mark.parametrize(
    ("path", "who"), [("/a", b"a"), ("/b", b"b"), ("/a/", b"the site"), ("/docs", b"the site"), ("/A", b"the site")]
)
def test_routing(path: str, who: bytes) -> None:
    """Exact paths are ours, everything else is the site's."""
    assert run(ask(front(a=named(b"a"), b=named(b"b")), path=path)).body == who


def test_request_error() -> None:
    """An error that an app raises becomes its problem document, with the client's id."""
    reply = run(ask(front(a=raising(NotFound("No."))), path="/a", headers={"x-request-id": "mine"}))
    assert (reply.status, reply.json["code"], reply.headers["x-request-id"]) == (404, "not-found", "mine")


@pytest.mark.parametrize(("given", "kept"), [("mine", True), ("not mine", False), (None, False)])
def test_request_id_elsewhere(given: str | None, kept: bool) -> None:
    """The site reads the same well-formed id that its answer carries, the client's if that is one."""
    seen: list[bytes] = []

    async def site(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend(value for name, value in scope["headers"] if name == b"x-request-id")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    headers = {} if given is None else {"x-request-id": given}
    reply = run(ask(front(site), path="/own", headers=headers))
    assert [reply.headers["x-request-id"].encode()] == seen
    assert (reply.headers["x-request-id"] == given) is kept


def test_site_that_raises(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """What an owner's route raised is in the log under the request's id."""
    monkeypatch.setattr(logging.getLogger("litgen_runtime"), "propagate", True)
    run(ask(front(raising(KeyError("why"))), path="/own", headers={"x-request-id": "mine"}))
    assert "'/own': request mine failed" in caplog.text
    assert "KeyError: 'why'" in caplog.text


def test_not_http() -> None:
    """A scope that is not a request is left alone."""
    sent: list[Any] = []

    async def never() -> Any:
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    run(front()({"type": "lifespan"}, never, send))
    assert sent == []
