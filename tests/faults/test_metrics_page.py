"""What Prometheus itself thinks of /metrics, when all kinds of things have happened."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests import wire
from tests.promtool import complaints
from tests.services import act, config, endpoint, eventually, serving, square


@pytest.mark.timeout(400)
def test_promtool_finds_nothing(tmp_path: Path) -> None:
    """The page is clean at first, and after answers, batches, streams, refusals, departures and a death."""
    endpoints = {
        "square": square(),
        "batch": endpoint("basic:Batch", "/batch", "Number", "Number", batching={"max_size": 4, "max_wait_s": 0.01}),
        "flow": endpoint("flows:Flow", "/flow", streaming={"max_streams": 4}),
        "act": act(quarantine_s=60.0),
    }
    with serving(config(tmp_path, endpoints)) as service:
        assert complaints(service.get("/metrics").text) == ""
        assert service.post("/square", {"x": 2}).status_code == 200
        assert service.post("/square", {"x": "two"}).status_code == 422
        assert service.post("/batch", {"x": 2}).status_code == 200
        assert service.post("/flow", {"do": "", "number": 3}).status_code == 200
        assert service.post("/act", {"do": "die"}).status_code == 503
        with pytest.raises(httpx.TimeoutException):
            service.post("/act", {"do": "sleep", "seconds": 1}, timeout_s=0.2)
        assert eventually(lambda: 'litgen_worker_deaths_total{cause="SIGKILL",endpoint="act"}' in _page(service.url))
        page = _page(service.url)
        for said in ('status="422"', 'litgen_refusals_total{code="invalid-input"', "litgen_batches_total{"):
            assert said in page
        assert complaints(page) == ""


def test_what_is_open_and_arriving(tmp_path: Path) -> None:
    """The page counts connections, and the bytes that have come of bodies that are not complete."""
    with serving(config(tmp_path, {"square": square()})) as service:
        with wire.connected(service.port) as idle, wire.connected(service.port) as sender:
            sender.send(b"POST /square HTTP/1.1\r\nHost: x\r\nContent-Length: 700000\r\n\r\n" + b" " * 1000)
            assert eventually(lambda: 'litgen_arriving_bytes{endpoint="square"} 1000.0' in _page(service.url))
            idle.send(wire.get("/metrics"))  # over one of the two
            assert b"\nlitgen_connections 2.0\n" in idle.expect().body
        assert eventually(lambda: 'litgen_arriving_bytes{endpoint="square"} 0.0' in _page(service.url))
        assert eventually(lambda: "\nlitgen_connections 1.0\n" in _page(service.url))


def _page(url: str) -> str:
    return httpx.get(url + "/metrics", timeout=20).text
