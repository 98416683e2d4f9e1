from __future__ import annotations

import pytest

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.errors import MethodNotAllowed
from litgen_runtime.http.lifecycle import Lifecycle, WorkerState
from litgen_runtime.http.probes import PATHS, Probes
from litgen_runtime.testing import FakeClock
from tests.unit.runtime.fakes import Reply, ask, run
from tests.unit.runtime.mini import choices

WORKER = WorkerState(0, "embed[0] on cpu", "embed", "cpu")


def probe(path: str, state: str = "ready", method: str = "GET") -> Reply:
    """Return what a probe answers in this state of the service."""

    async def main() -> Reply:
        lifecycle = Lifecycle([WorkerState(**vars(WORKER))], FakeClock(1000.0))
        if state != "starting":
            lifecycle.loading(0)
        if state in ("ready", "draining", "unavailable"):
            lifecycle.ready(0, 1.5)
        lifecycle.draining = state == "draining"
        if state == "unavailable":
            lifecycle.lost(0, "restarting", "SIGKILL")
        dispatcher = Dispatcher("embed", choices().endpoints["embed"], lambda *_: None)
        dispatcher.submit(b"", 1000.0)
        return await ask(Probes(lifecycle, {"embed": dispatcher}), method, path)

    return run(main())


@pytest.mark.parametrize("state", ["starting", "loading", "ready", "draining", "unavailable"])
def test_alive_whatever_happens(state: str) -> None:
    """/livez is 200 from the start to the end."""
    reply = probe("/livez", state)
    assert (reply.status, reply.json) == (200, {"status": "alive"})


@pytest.mark.parametrize("path", ["/readyz", "/health"])
@pytest.mark.parametrize(
    ("state", "status"), [("starting", 503), ("loading", 503), ("ready", 200), ("draining", 503), ("unavailable", 503)]
)
def test_ready_only_when_ready(path: str, state: str, status: int) -> None:
    """/readyz and /health are 200 only while requests are welcome."""
    reply = probe(path, state)
    assert reply.status == status
    assert reply.json["status"] == {"starting": "loading"}.get(state, state)


def test_not_ready_says_why() -> None:
    """A service that loads says what it waits for."""
    assert probe("/readyz", "loading").json["waiting_for"] == ["embed[0] on cpu: loading (0.0 s)"]


def test_health_details() -> None:
    """/health shows the queue and each worker."""
    document = probe("/health").json
    assert document["endpoints"]["embed"] == {
        "queued": 1,
        "workers": [
            {
                "id": 0,
                "device": "cpu",
                "state": "ready",
                "for_s": 0.0,
                "load_s": 1.5,
                "busy_for_s": None,
                "restarts": 0,
                "recycles": 0,
                "last_death": None,
                "last_error": None,
            }
        ],
    }
    assert (document["uptime_s"], document["in_flight"]) == (0.0, 0)


@pytest.mark.parametrize("path", PATHS)
def test_head(path: str) -> None:
    """HEAD is answered like GET; the server leaves the body out."""
    assert probe(path, method="HEAD").status == 200


@pytest.mark.parametrize("path", PATHS)
def test_other_methods(path: str) -> None:
    """Other methods are refused with those that there are."""
    with pytest.raises(MethodNotAllowed) as refused:
        probe(path, method="POST")
    assert refused.value.headers == {"Allow": "GET, HEAD"}


def test_never_cached() -> None:
    """No proxy keeps an old answer."""
    assert probe("/readyz").headers["cache-control"] == "no-store"
