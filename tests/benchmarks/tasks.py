"""Jobs beside tasks of BentoML: how fast they are accepted, what a kill leaves of them, and what they cost at rest."""

import contextlib
import dataclasses
import http.client
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psutil

from tests.benchmarks import load, processes, servers
from tests.benchmarks.contenders import BENTOML, LITGEN, Contender
from tests.benchmarks.environments import Environment
from tests.benchmarks.errors import BenchmarkError
from tests.benchmarks.jobs import ACCEPTING_CONNECTIONS
from tests.benchmarks.load import Reading
from tests.benchmarks.servers import Server
from tests.benchmarks.works import DEVICE, JOBS, PATH

HANDED_IN = 500
WAITED_S = 20.0
_CLIENTS = 8
_POLL_S = 0.1


class Cost(NamedTuple):
    """What a service takes at rest: seconds until it answers, MB (10^6 bytes) of its HTTP process."""

    answer_s: float
    http_mb: float


@dataclass
class Results:
    """One item a turn.

    Args:
        accepted: by whom, with clients as in `jobs`.
        left: of so many that were acknowledged when everything was killed, those whose result was to be had later.
        without: litgen at rest, without jobs.
        with_jobs: the same with jobs.
        broken: why somebody has no figures.
    """

    accepted: dict[Contender, list[Reading]] = field(default_factory=dict)
    left: dict[Contender, list[int]] = field(default_factory=dict)
    without: list[Cost] = field(default_factory=list)
    with_jobs: list[Cost] = field(default_factory=list)
    broken: dict[Contender, str] = field(default_factory=dict)


class _Way(NamedTuple):
    """How somebody takes work for later.

    Args:
        store: the variable that says where it is kept, given a folder.
        path: where it is handed in.
        header: what makes it work for later.
        name: under which the acknowledgement has its id.
        asked: where is asked after it.
        done: what is said of it when there is a result.
    """

    store: Callable[[str], Mapping[str, str]]
    path: str
    header: str | None
    name: str
    asked: str
    done: str


_WAYS = {
    LITGEN: _Way(
        lambda folder: {"LITGEN__JOBS__STORE": f"sqlite:///{folder}/jobs.db"},
        PATH,
        "Prefer: respond-async",
        "id",
        "/v1/jobs/{}",
        "succeeded",
    ),
    BENTOML: _Way(
        lambda folder: {"BENTOML_RESULT_STORE": f"{folder}/tasks.db"},
        f"{PATH}/submit",
        None,
        "task_id",
        f"{PATH}/status?task_id={{}}",
        "completed",
    ),
}


def measure(results: Results, environments: Mapping[Contender, Environment], seconds: int) -> None:
    """Measure one turn of everybody who takes work for later and has an environment.

    Raises:
        BenchmarkError: If one does not answer, or answers wrongly.
    """
    with servers.running(LITGEN, environments[LITGEN], DEVICE) as server:
        results.without.append(_cost(server))
    for contender in _WAYS:
        if contender not in environments or contender in results.broken:
            continue
        try:
            _measure(results, contender, environments[contender], seconds)
        except BenchmarkError as error:
            if contender is LITGEN:
                raise
            results.broken[contender] = str(error)


def _measure(results: Results, contender: Contender, environment: Environment, seconds: int) -> None:
    way, ask = _WAYS[contender], contender.ask(JOBS)
    with _kept(contender) as keeping, servers.running(keeping, environment, JOBS) as server:
        if contender is LITGEN:
            results.with_jobs.append(_cost(server))
        load.press(server.port, ask, ACCEPTING_CONNECTIONS, load.WARM_UP_S, path=way.path, header=way.header)
        reading = load.press(server.port, ask, ACCEPTING_CONNECTIONS, seconds, path=way.path, header=way.header)
        results.accepted.setdefault(contender, []).append(reading)
    with _kept(contender) as keeping:
        with servers.running(keeping, environment, JOBS) as server:
            ids = _handed_in(server.port, way, ask.body)
            _kill(server)
        with servers.running(keeping, environment, JOBS) as server:
            results.left.setdefault(contender, []).append(_to_be_had(server.port, way, ids))


@contextlib.contextmanager
def _kept(contender: Contender) -> Iterator[Contender]:
    """Give the contender with a store of its own, which goes with the end."""
    with tempfile.TemporaryDirectory(prefix="litgen-bench-") as folder:
        yield dataclasses.replace(contender, env={**contender.env, **_WAYS[contender].store(folder)})


def _cost(server: Server) -> Cost:
    process = processes.serving(processes.tree(server.pid), server.port, LITGEN.probe)
    return Cost(server.answer_s, processes.resident_mb(process))


def _kill(server: Server) -> None:
    for process in processes.tree(server.pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _handed_in(port: int, way: _Way, body: bytes) -> list[str]:
    """Hand work in, and return the ids that it was acknowledged with."""
    headers = {"Content-Type": "application/json"}
    if way.header:
        name, _, value = way.header.partition(": ")
        headers[name] = value

    def client(count: int) -> list[str]:
        with _connected(port) as connection:
            return [_document(connection, "POST", way.path, body, headers)[way.name] for _ in range(count)]

    with ThreadPoolExecutor(_CLIENTS) as pool:
        counts = [len(range(number, HANDED_IN, _CLIENTS)) for number in range(_CLIENTS)]
        return [each for ids in pool.map(client, counts) for each in ids]


def _to_be_had(port: int, way: _Way, ids: Sequence[str]) -> int:
    """Return how many of them have a result, now or soon."""
    left, deadline = set(ids), time.monotonic() + WAITED_S
    with _connected(port) as connection:
        while left and time.monotonic() < deadline:
            left -= {
                each for each in left if _document(connection, "GET", way.asked.format(each)).get("status") == way.done
            }
            time.sleep(_POLL_S)
    return len(ids) - len(left)


@contextlib.contextmanager
def _connected(port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAITED_S)
    try:
        yield connection
    finally:
        connection.close()


def _document(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Ask, and return the document that answers, whatever its status.

    Raises:
        BenchmarkError: It is none.
    """
    connection.request(method, path, body, dict(headers or {}))
    answer = connection.getresponse()
    text = answer.read()
    try:
        return dict(json.loads(text))
    except ValueError:
        raise BenchmarkError(f"{path} answers {answer.status} {text[:200]!r}; expected JSON") from None
