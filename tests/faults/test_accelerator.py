"""A batch that a GPU refuses, and a worker whose CUDA context breaks; the errors are in torch's own words."""

import concurrent.futures
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.services import Running, assert_problem, config, endpoint, eventually, serving


def accelerated(kind: str = "Accelerated", **choices: Any) -> Any:
    """Return the endpoint that fails as a GPU does."""
    if kind == "Accelerated":
        choices = {"batching": {"max_size": 16, "max_wait_s": 0.3}, **choices}
    return endpoint(f"basic:{kind}", "/x", "Number", "Number", **choices)


def ask_all(service: Running, numbers: list[int]) -> list[httpx.Response]:
    """Send these at once."""
    with concurrent.futures.ThreadPoolExecutor(len(numbers)) as pool:
        return list(pool.map(lambda number: service.post("/x", {"x": number}), numbers))


def test_a_batch_that_does_not_fit(tmp_path: Path) -> None:
    """It runs in ever smaller parts until they fit: all are answered, and no worker is replaced."""
    with serving(config(tmp_path, {"x": accelerated()})) as service:
        pids = service.worker_pids()
        answers = ask_all(service, list(range(100, 116)))
        assert [answer.status_code for answer in answers] == [200] * 16, service.log()
        assert service.worker_pids() == pids


def test_a_request_that_does_not_fit(tmp_path: Path) -> None:
    """It fails alone, with an error that says what to change."""
    with serving(config(tmp_path, {"x": accelerated()})) as service:
        *good, bad = ask_all(service, [1, 2, 3, 4, 5, 6, 7, 99])
        assert {answer.status_code for answer in good} == {200}
        problem = assert_problem(bad, 500, "out-of-memory")
        assert "even alone" in problem["detail"]
        assert "workers.gpu_memory_fraction" in problem["detail"]
        assert "Tried to allocate" not in bad.text
        assert "Tried to allocate" in service.log()


def test_a_batch_that_must_not_run_twice(tmp_path: Path) -> None:
    """With repeatable = false the whole batch fails, and the error names batching.max_size."""
    with serving(config(tmp_path, {"x": accelerated(repeatable=False)})) as service:
        for answer in ask_all(service, list(range(100, 116)))[1:]:
            if answer.status_code != 200:  # the first may have gone alone
                assert "batching.max_size" in assert_problem(answer, 500, "out-of-memory")["detail"]
        assert "CUDA out of memory" in service.log()


def test_a_broken_context(tmp_path: Path) -> None:
    """The worker is replaced; of the batch that broke it only the one to blame fails, and the service lives."""
    with serving(config(tmp_path, {"x": accelerated()})) as service:
        pids = service.worker_pids()
        *good, bad = ask_all(service, [1, 2, 3, 13])
        assert [answer.status_code for answer in good] == [200] * 3, service.log()
        assert_problem(bad, 500, "predict-failed")
        assert eventually(lambda: service.get("/readyz").json()["status"] == "ready")
        assert service.post("/x", {"x": 5}).json() == {"x": 5}
        assert service.worker_pids() != pids
        assert "x[0] on cpu: ended (CUDA context is broken); a new one starts in 0.5 s" in service.log()
        (worker,) = service.get("/health").json()["endpoints"]["x"]["workers"]
        assert worker["last_death"] == "CUDA context is broken"


@pytest.mark.parametrize("repeatable", [True, False])
def test_what_waits_in_a_broken_worker(tmp_path: Path, repeatable: bool) -> None:
    """The request to blame is answered at once; what the worker had not begun is not lost, nor run twice."""
    with serving(config(tmp_path, {"x": accelerated("AcceleratedAlone", repeatable=repeatable)})) as service:
        *good, bad = ask_all(service, [1, 3, 4, 5, 6, 13])
        assert_problem(bad, 500, "predict-failed")
        assert [answer.status_code for answer in good] == [200] * 5, service.log()


def test_a_broken_batch_that_must_not_run_twice(tmp_path: Path) -> None:
    """With repeatable = false the whole batch is answered with the error, and the worker is replaced all the same."""
    with serving(config(tmp_path, {"x": accelerated(repeatable=False)})) as service:
        answers = ask_all(service, [13, 13, 13, 13])
        for answer in answers:
            assert_problem(answer, 500, "predict-failed")
        service.wait_log("ended (CUDA context is broken)")
        assert service.post("/x", {"x": 5}).json() == {"x": 5}


def test_a_stream_that_breaks_the_context(tmp_path: Path) -> None:
    """It ends with an error event, and the next stream runs in a new worker."""
    flow = endpoint("flows:Flow", "/flow", streaming={"max_streams": 8})
    with serving(config(tmp_path, {"flow": flow})) as service:
        text = service.post("/flow", {"do": "break", "number": 3}).text
        assert text.count("event: error") == 1
        assert "predict-failed" in text
        service.wait_log("flow[0] on cpu: ended (CUDA context is broken)")
        text = service.post("/flow", {"do": "", "number": 3}).text
        assert text.count("data: ") == 3
        assert "event: error" not in text
