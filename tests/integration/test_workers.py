"""How many workers an endpoint needs, and what each may use of the machine (docs/behavior.md, 1)."""

import importlib.util
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from litgen_runtime.cores import usable_cores
from tests.services import Running, act, config, endpoint, eventually, serving

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def variable(service: Running, name: str) -> Any:
    """Return a variable of a worker's environment."""
    return service.post("/act", {"do": "environment", "text": name}).json()["value"]


def test_min_ready(tmp_path: Path) -> None:
    """With min_ready = 2 one lost worker of three degrades the service, two take it away until one is back."""
    gated = endpoint("loading:Gated", "/x", "Number", "Number", workers={"per_device": 3, "min_ready": 2})
    for number in range(3):
        (tmp_path / f"a-{number}").touch()
    with serving(config(tmp_path, {"x": gated}), env={"LITGEN_TEST_TICKETS": str(tmp_path)}) as service:
        first, second, _ = service.worker_pids()
        os.kill(first, signal.SIGKILL)
        assert eventually(lambda: service.get("/readyz").json()["status"] == "degraded")
        assert service.get("/readyz").status_code == 200
        os.kill(second, signal.SIGKILL)
        assert eventually(lambda: service.get("/readyz").status_code == 503)
        document = service.get("/readyz").json()
        assert document["status"] == "unavailable"
        assert len(document["waiting_for"]) == 2
        assert all(line.startswith("x[") for line in document["waiting_for"])
        assert service.post("/x", {"x": 3}).json() == {"x": 3}
        (tmp_path / "a-3").touch()
        assert eventually(lambda: service.get("/readyz").json()["status"] == "degraded")
        (tmp_path / "a-4").touch()
        assert eventually(lambda: service.get("/readyz").json()["status"] == "ready")


def test_workers_share_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default each CPU worker uses its share of the cores, and its idle threads sleep."""
    share = str(max(1, usable_cores() // 2))
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    with serving(config(tmp_path, {"act": act(workers={"per_device": 2})})) as service:
        assert [variable(service, name) for name in THREADS] == [share] * 4
        assert variable(service, "OMP_WAIT_POLICY") == "PASSIVE"


def test_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``threads`` is how many each worker uses; what the owner has set in the environment wins."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    path = config(tmp_path, {"act": act(workers={"threads": 3})})
    with serving(path, env={"MKL_NUM_THREADS": "5"}) as service:
        assert variable(service, "OMP_NUM_THREADS") == "3"
        assert variable(service, "MKL_NUM_THREADS") == "5"


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_torch_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's torch has as many threads as the choices say; more than there are cores MKL does not give."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with serving(config(tmp_path, {"act": act(workers={"threads": 1})})) as service:
        assert service.post("/act", {"do": "torch-threads"}).json()["value"] == 1
