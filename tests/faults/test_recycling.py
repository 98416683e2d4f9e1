"""Workers that are replaced while they work: no request fails, no capacity is missing, nothing is left over."""

import concurrent.futures
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.services import Running, act, alive, config, endpoint, eventually, serving


def workers_of(service: Running, name: str = "act") -> list[dict[str, Any]]:
    """Return what /health says of an endpoint's workers."""
    workers: list[dict[str, Any]] = service.get("/health").json()["endpoints"][name]["workers"]
    return workers


def recycles(service: Running, name: str = "act") -> int:
    """Return how many workers of an endpoint have been replaced."""
    return sum(worker["recycles"] for worker in workers_of(service, name))


def metric(service: Running, start: str) -> float:
    """Return the value of the metric whose line starts so; 0 where there is none."""
    lines = [line for line in service.get("/metrics").text.splitlines() if line.startswith(start)]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_recycling_under_load(tmp_path: Path) -> None:
    """Under load each worker is replaced again and again: no error, never fewer ready than there should be."""
    path = config(tmp_path, {"act": act(workers={"per_device": 2, "max_requests": 40})})
    with serving(path) as service, concurrent.futures.ThreadPoolExecutor(4) as pool:
        first = set(service.worker_pids())
        until = time.monotonic() + 40
        statuses: Counter[int] = Counter()
        pids: set[int] = set()

        def client() -> None:
            while not stop:
                answer = service.post("/act", {"do": "sleep", "seconds": 0.01})
                statuses[answer.status_code] += 1
                pids.add(answer.json()["pid"])

        stop = False
        clients = [pool.submit(client) for _ in range(4)]
        states = set()
        while recycles(service) < 4 and time.monotonic() < until:
            states |= {worker["state"] for worker in workers_of(service)}
            assert service.get("/readyz").json()["status"] == "ready"
            time.sleep(0.05)
        stop = True
        for done in clients:
            done.result()
        assert recycles(service) >= 4, service.log()
        assert set(statuses) == {200}
        assert states == {"ready"}
        assert len(pids) >= 4
        assert eventually(lambda: len(service.worker_pids()) == 2)
        assert not first & set(service.worker_pids())
        assert not any(map(alive, first))
        assert metric(service, 'litgen_worker_recycles_total{cause="max_requests",endpoint="act"}') >= 4
        assert metric(service, "litgen_worker_deaths_total{") == 0
        assert all(worker["restarts"] == 0 for worker in workers_of(service))
        assert service.log().count("): a replacement loads") >= 4
        assert "ended (" not in service.log()


def test_what_the_old_worker_holds_is_answered(tmp_path: Path) -> None:
    """The replacement joins while the old one still runs: that run is finished, and only then the old one ends."""
    with (
        serving(config(tmp_path, {"act": act(workers={"max_requests": 1})})) as service,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        old = service.post("/act", {"do": "pid"}).json()["pid"]
        slow = pool.submit(service.post, "/act", {"do": "sleep", "seconds": 8.0})
        service.wait_log("replaced; the old worker ends once it has answered what it holds")
        began = time.monotonic()
        answer = service.post("/act", {"do": "pid"})
        assert time.monotonic() - began < 3
        assert answer.json()["pid"] != old
        assert not slow.done()
        assert alive(old)
        assert slow.result().json() == {"value": 8.0, "pid": old, "score": None, "name": ""}
        assert eventually(lambda: not alive(old))


def test_a_stream_outlives_the_replacement(tmp_path: Path) -> None:
    """An old worker that streams goes on to the stream's end, while new ones begin at its replacement."""
    flow = endpoint("flows:Flow", "/flow", streaming={"max_streams": 8}, workers={"max_requests": 1})
    with serving(config(tmp_path, {"flow": flow})) as service, concurrent.futures.ThreadPoolExecutor(1) as pool:
        (old,) = service.worker_pids()
        long = pool.submit(service.post, "/flow", {"do": "", "number": 80, "seconds": 0.1})
        service.post("/flow", {"do": "", "number": 1})
        service.wait_log("replaced; ")
        assert not long.done()
        assert f'"pid":{old}' not in service.post("/flow", {"do": "", "number": 1}).text
        text = long.result().text
        assert text.count(f'"pid":{old}') == 80
        assert "event: error" not in text
        assert eventually(lambda: not alive(old))


def test_recycling_by_memory(tmp_path: Path) -> None:
    """A worker that holds more than max_memory is replaced, what its children hold included."""
    with serving(config(tmp_path, {"act": act(workers={"max_memory": "400MB"})})) as service:
        pid = service.post("/act", {"do": "pid"}).json()["pid"]
        service.post("/act", {"do": "hoard", "number": 100_000_000})
        time.sleep(2.5)
        assert service.post("/act", {"do": "pid"}).json()["pid"] == pid
        service.post("/act", {"do": "hoard", "number": 400_000_000})
        assert eventually(lambda: service.post("/act", {"do": "pid"}).json()["pid"] != pid)
        assert eventually(lambda: not alive(pid))
        assert metric(service, 'litgen_worker_recycles_total{cause="max_memory",endpoint="act"}') == 1


def test_a_worker_that_loads_with_too_much(tmp_path: Path) -> None:
    """Past max_memory from the start a worker is not replaced for ever, and the log says which key to raise."""
    with serving(config(tmp_path, {"act": act(workers={"max_memory": "1MB"})})) as service:
        service.wait_log("Raise endpoints.act.workers.max_memory")
        pids = service.worker_pids()
        time.sleep(2.5)
        assert service.worker_pids() == pids
        assert recycles(service) == 0


def test_a_replacement_that_cannot_load(tmp_path: Path) -> None:
    """The worker that was to go stays, and the log says what happened and when it is tried again."""
    gated = endpoint("loading:Fickle", "/x", "Number", "Number", workers={"max_requests": 1})
    with serving(config(tmp_path, {"x": gated}), env={"LITGEN_TEST_TICKETS": str(tmp_path)}) as service:
        (pid,) = service.worker_pids()
        (tmp_path / "broken").touch()
        assert service.post("/x", {"x": 1}).json() == {"x": 1}
        log = service.wait_log("its replacement could not load beside it")
        assert "another one is tried in 10 s" in log
        assert "MemoryError: no room on the device" in log
        assert service.post("/x", {"x": 2}).json() == {"x": 2}
        assert eventually(lambda: service.worker_pids() == [pid])
        assert service.get("/readyz").json()["status"] == "ready"
        (worker,) = workers_of(service, "x")
        assert (worker["restarts"], worker["recycles"]) == (0, 0)
        assert worker["last_error"] == "MemoryError: no room on the device"


def test_death_while_a_replacement_loads(tmp_path: Path) -> None:
    """When the old worker dies meanwhile, its replacement takes the place as soon as it has loaded."""
    gated = endpoint("loading:Gated", "/x", "Number", "Number", workers={"max_requests": 1})
    (tmp_path / "a-1").touch()
    with serving(config(tmp_path, {"x": gated}), env={"LITGEN_TEST_TICKETS": str(tmp_path)}) as service:
        (pid,) = service.worker_pids()
        service.post("/x", {"x": 1})
        assert eventually(lambda: len(service.worker_pids()) == 2)
        os.kill(pid, signal.SIGKILL)
        service.wait_log("its replacement loads already")
        assert eventually(lambda: service.get("/readyz").status_code == 503)
        assert [worker["state"] for worker in workers_of(service, "x")] == ["loading"]
        (tmp_path / "a-2").touch()
        assert service.post("/x", {"x": 3}).json() == {"x": 3}
        assert workers_of(service, "x")[0]["last_death"] == "SIGKILL"
        (tmp_path / "a-3").touch()  # it has answered one request too


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_end_while_a_replacement_loads(tmp_path: Path, number: int) -> None:
    """A drain, or a kill -9 of the supervisor, in the middle of it leaves nothing."""
    gated = endpoint("loading:Gated", "/x", "Number", "Number", workers={"max_requests": 1})
    (tmp_path / "a-1").touch()
    with serving(config(tmp_path, {"x": gated}), env={"LITGEN_TEST_TICKETS": str(tmp_path)}) as service:
        service.post("/x", {"x": 1})
        assert eventually(lambda: len(service.worker_pids()) == 2)
        service.signal(number)
        assert service.wait_exit() == (0 if number == signal.SIGTERM else -number)
        assert eventually(lambda: not service.marked.processes())


def test_an_old_worker_that_does_not_end(tmp_path: Path) -> None:
    """What keeps a replaced worker from ending is given five seconds, then it is killed."""
    with serving(config(tmp_path, {"act": act(workers={"max_requests": 1})})) as service:
        old = service.post("/act", {"do": "stay"}).json()["pid"]
        service.wait_log("replaced; ")
        time.sleep(1.0)
        assert alive(old)
        service.wait_log("act[0] on cpu: still running, killed")
        assert eventually(lambda: not alive(old))
        assert service.get("/readyz").json()["status"] == "ready"
