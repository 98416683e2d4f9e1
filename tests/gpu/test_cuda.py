"""What a real GPU does: its memory is shared out, a batch that does not fit is split, a broken context is replaced."""

import concurrent.futures
from pathlib import Path
from typing import Any

import pytest

from tests.services import assert_problem, config, eventually, serving

pytestmark = pytest.mark.gpu

SCHEMAS = "tests.integration.services.schemas"


def on_gpu(kind: str = "Obey", **choices: Any) -> Any:
    """Return the table of an endpoint on the first GPU."""
    return {
        "handler": f"tests.gpu.services.cuda:{kind}",
        "request": f"{SCHEMAS}:Command",
        "response": f"{SCHEMAS}:Answer",
        "path": "/gpu",
        "timeout_s": 60.0,
        "workers": {"devices": "cuda:0", **choices.pop("workers", {})},
        **choices,
    }


def total_mib() -> int:
    """Return the memory of the first GPU."""
    import torch

    return int(torch.cuda.get_device_properties(0).total_memory) // 2**20


def test_a_model_on_the_gpu(tmp_path: Path) -> None:
    """A worker gets its device and computes on it."""
    with serving(config(tmp_path, {"x": on_gpu()})) as service:
        assert service.post("/gpu", {"do": "sum"}).json()["value"] == 1024.0


def test_cuda_visible_devices(tmp_path: Path) -> None:
    """Only what CUDA_VISIBLE_DEVICES names is used, numbered from 0."""
    with serving(config(tmp_path, {"x": on_gpu()}), env={"CUDA_VISIBLE_DEVICES": "0"}) as service:
        assert service.post("/gpu", {"do": "device"}).json()["value"] == "cuda:0 of 1"


def test_memory_fraction(tmp_path: Path) -> None:
    """A worker cannot take more than its share: that is an out-of-memory error, and the worker lives on."""
    share = total_mib() // 10
    with serving(config(tmp_path, {"x": on_gpu(workers={"gpu_memory_fraction": 0.1})})) as service:
        fits = service.post("/gpu", {"do": "allocate", "number": share // 2}).json()
        assert_problem(service.post("/gpu", {"do": "allocate", "number": share * 2}), 500, "out-of-memory")
        again = service.post("/gpu", {"do": "allocate", "number": share // 2}).json()
        assert again["pid"] == fits["pid"]


def test_a_batch_that_does_not_fit(tmp_path: Path) -> None:
    """Eight requests of which three fit together are all answered, by ever smaller batches."""
    each = total_mib() // 10 * 3 // 10
    large = on_gpu(
        "Large", workers={"gpu_memory_fraction": 0.1}, batching={"max_size": 8, "max_wait_s": 1.0}, repeatable=True
    )
    with serving(config(tmp_path, {"x": large})) as service, concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: service.post("/gpu", {"do": "", "number": each}), range(8)))
        assert [answer.status_code for answer in answers] == [200] * 8, service.log()
        assert len({answer.json()["pid"] for answer in answers}) == 1
        assert max(answer.json()["value"] for answer in answers) <= 3


def test_a_broken_context(tmp_path: Path) -> None:
    """After a device-side assert the request fails, the worker is replaced, and the service lives."""
    with serving(config(tmp_path, {"x": on_gpu()})) as service:
        first = service.post("/gpu", {"do": "sum"}).json()["pid"]
        assert_problem(service.post("/gpu", {"do": "assert"}), 500, "predict-failed")
        answer = service.post("/gpu", {"do": "sum"})
        assert answer.json()["value"] == 1024.0
        assert answer.json()["pid"] != first
        assert "ended (CUDA context is broken)" in service.log()


def test_two_workers_on_one_gpu(tmp_path: Path) -> None:
    """Two processes share a device, each with its part of the memory."""
    workers = {"per_device": 2, "gpu_memory_fraction": 0.4}
    with serving(config(tmp_path, {"x": on_gpu(workers=workers)})) as service:
        assert eventually(lambda: service.get("/readyz").json()["status"] == "ready")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: service.post("/gpu", {"do": "sum"}), range(40)))
        assert {answer.status_code for answer in answers} == {200}
        assert len(service.worker_pids()) == 2
