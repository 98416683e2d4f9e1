"""Jobs: how fast they are accepted and done, and what clients notice of a backlog; of litgen only."""

import dataclasses
import http.client
import re
import tempfile
import time
from dataclasses import dataclass, field

from tests.benchmarks import load, servers
from tests.benchmarks.contenders import LITGEN
from tests.benchmarks.environments import Environment
from tests.benchmarks.errors import BenchmarkError
from tests.benchmarks.load import Reading
from tests.benchmarks.works import DEVICE, JOBS

ACCEPTING_CONNECTIONS, ASKING_CONNECTIONS = 64, 8
BACKLOG = 10_000
MAX_BATCH, BATCH_MS = 32, 10.0
_ASYNC = "Prefer: respond-async"
_POLL_S = 0.05
_PATIENCE_S = 120.0
_BATCHES = re.compile(rb'litgen_batch_size_(sum|count)\{endpoint="device"\} (\S+)')


@dataclass
class Results:
    """One item a turn. ``drained_per_s`` and ``mean_batch`` are of a backlog while nobody asks."""

    accepted: list[Reading] = field(default_factory=list)
    drained_per_s: list[float] = field(default_factory=list)
    mean_batch: list[float] = field(default_factory=list)
    before: list[Reading] = field(default_factory=list)
    over: list[Reading] = field(default_factory=list)


def measure(results: Results, environment: Environment, seconds: int) -> None:
    """Measure one turn.

    Raises:
        BenchmarkError: If the service does not answer, or answers wrongly.
    """
    with tempfile.TemporaryDirectory(prefix="litgen-bench-") as folder:
        contender = dataclasses.replace(LITGEN, env={"LITGEN__JOBS__STORE": f"sqlite:///{folder}/jobs.db"})
        with servers.running(contender, environment, JOBS) as server:
            load.press(server.port, DEVICE.ask, ASKING_CONNECTIONS, load.WARM_UP_S)
            results.before.append(load.press(server.port, DEVICE.ask, ASKING_CONNECTIONS, seconds))
            results.accepted.append(load.press(server.port, DEVICE.ask, ACCEPTING_CONNECTIONS, seconds, header=_ASYNC))
            _wait_for(server.port, 0)
            _fill(server.port)
            load.press(server.port, DEVICE.ask, ASKING_CONNECTIONS, load.WARM_UP_S)
            results.over.append(load.press(server.port, DEVICE.ask, ASKING_CONNECTIONS, load.WARM_UP_S))
            if not _waiting(server.port):
                raise BenchmarkError(f"the backlog of {BACKLOG} was done before the clients were measured")
            _fill(server.port)
            before, began = _batches(server.port), time.monotonic()
            _wait_for(server.port, MAX_BATCH)
            taken_s, after = time.monotonic() - began, _batches(server.port)
            items, batches = (late - early for late, early in zip(after, before, strict=True))
            results.drained_per_s.append(items / taken_s)
            results.mean_batch.append(items / batches)


def _fill(port: int) -> None:
    """Hand in jobs until the backlog is full."""
    while _waiting(port) < BACKLOG:
        load.press(port, DEVICE.ask, ACCEPTING_CONNECTIONS, load.WARM_UP_S, header=_ASYNC)


def _wait_for(port: int, at_most: int) -> None:
    """Wait until no more jobs than that wait."""
    deadline = time.monotonic() + _PATIENCE_S
    while _waiting(port) > at_most:
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{_waiting(port)} jobs still wait after {_PATIENCE_S:g} s")
        time.sleep(_POLL_S)


def _waiting(port: int) -> int:
    found = re.search(rb'litgen_jobs_waiting\{endpoint="device"\} (\S+)', _metrics(port))
    if found is None:
        raise BenchmarkError("/metrics does not say how many jobs wait")
    return int(float(found[1]))


def _batches(port: int) -> tuple[float, float]:
    """How many requests have run in batches, and in how many."""
    found = dict(_BATCHES.findall(_metrics(port)))
    return float(found[b"sum"]), float(found[b"count"])


def _metrics(port: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read()
    finally:
        connection.close()
