"""Models that fork, and whose children come back into the worker's own code (docs/behavior.md, 2.4)."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.services import Running, act, config, endpoint, serving


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One worker of each kind; in the end they are the same ones, and nothing has been said of them."""
    endpoints = {
        "act": act(repeatable=True),
        "later": endpoint("actions:ActLater", "/later"),
        "flow": endpoint("flows:Flow", "/flow", streaming={"max_streams": 8}),
    }
    with serving(config(tmp_path_factory.mktemp("forks"), endpoints)) as running:
        before = running.worker_pids()
        yield running
        for path in ("/act", "/later"):
            assert running.post(path, {"do": "pid"}).status_code == 200
        assert running.worker_pids() == before
        assert "Fatal error" not in running.log()
        assert "makes no sense" not in running.log()


@pytest.mark.parametrize("path", ["/act", "/later"])
@pytest.mark.parametrize(
    ("how", "code"), [({}, 0), ({"text": "exit", "number": 3}, 3), ({"text": "exit"}, 0), ({"text": "raise"}, 1)]
)
def test_a_forked_child_ends_where_the_model_does(service: Running, path: str, how: dict[str, Any], code: int) -> None:
    """A child that returns, exits or raises ends as a script would; its parent answers, and serves on."""
    for _ in range(3):
        reply = service.post(path, {"do": "fork", **how})
        assert (reply.status_code, reply.json()["value"]) == (200, code)


def test_a_forked_child_of_a_stream(service: Running) -> None:
    """A child that goes on yielding sends nothing: each item comes once."""
    reply = service.post("/flow", {"do": "fork", "number": 3}, headers={"Accept": "application/x-ndjson"})
    assert reply.status_code == 200
    assert [line.split(",")[0] for line in reply.text.splitlines()] == [f'{{"value":{n}' for n in range(3)]
