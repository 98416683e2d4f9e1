"""timeout_s (docs/behavior.md, 2.5)."""

import concurrent.futures
import time
from collections.abc import Iterator

import pytest

from tests.services import Running, act, assert_problem, config, endpoint, eventually, serving

pytestmark = pytest.mark.xdist_group("timeouts")

SLACK_S = 0.8


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service with a timeout of a second, and with none."""
    endpoints = {
        "short": act("/short", timeout_s=1.0),
        "batch": endpoint("basic:Slow", "/free", "Number", "Number", timeout_s=False),
        "minus": endpoint("basic:Slow", "/minus", "Number", "Number", timeout_s=-1),
    }
    with serving(config(tmp_path_factory.mktemp("timeouts"), endpoints)) as running:
        yield running


def idle(service: Running) -> bool:
    """Whether the worker of /short answers again."""
    return service.post("/short", {"do": "pid"}).status_code == 200


@pytest.mark.parametrize("action", ["sleep", "hold-gil"])
def test_a_slow_predict_is_504_punctually(service: Running, action: str) -> None:
    """The client is freed at the timeout, whatever the model does; the worker is kept and serves on."""
    pid = service.post("/short", {"do": "pid"}).json()["pid"]
    began = time.monotonic()
    problem = assert_problem(service.post("/short", {"do": action, "seconds": 2.5}), 504, "timeout")
    assert 0.95 <= time.monotonic() - began < 1 + SLACK_S
    assert "within 1 s" in problem["detail"]
    assert eventually(lambda: idle(service))
    assert service.post("/short", {"do": "pid"}).json()["pid"] == pid


def test_waiting_behind_slow_work_is_504_punctually(service: Running) -> None:
    """A request that is still queued at its deadline is answered then, and never runs."""
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        began = time.monotonic()

        def timed(number: int) -> tuple[int, float]:
            command = {"do": "sleep", "seconds": 2.5} if number == 0 else {"do": "sleep", "seconds": 5}
            time.sleep(0.05 * number)
            sent = time.monotonic()
            return service.post("/short", command).status_code, time.monotonic() - sent

        outcomes = list(pool.map(timed, range(6)))
        assert [status for status, _ in outcomes] == [504] * 6
        assert all(0.95 <= seconds < 1 + SLACK_S for _, seconds in outcomes), outcomes
        assert eventually(lambda: idle(service))
        assert time.monotonic() - began < 7.0, "requests ran although nobody waited for them"


@pytest.mark.parametrize("path", ["/free", "/minus"])
def test_no_timeout(service: Running, path: str) -> None:
    """With timeout_s = false or -1 a request may take its time."""
    assert service.post(path, {"x": 1.5}).json() == {"x": 1.5}


def test_a_timeout_from_the_environment(tmp_path_factory: pytest.TempPathFactory) -> None:
    """LITGEN__ENDPOINTS__ACT__TIMEOUT_S wins over service.toml."""
    path = config(tmp_path_factory.mktemp("env"), {"act": act(timeout_s=60.0)})
    with serving(path, env={"LITGEN__ENDPOINTS__ACT__TIMEOUT_S": "0.3"}) as service:
        began = time.monotonic()
        assert_problem(service.post("/act", {"do": "sleep", "seconds": 3}), 504, "timeout")
        assert time.monotonic() - began < 2
