"""Starting a contender, and noting when it answers."""

import http.client
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.benchmarks import processes
from tests.benchmarks.contenders import Contender
from tests.benchmarks.environments import Environment
from tests.benchmarks.errors import BenchmarkError
from tests.benchmarks.works import PATH, ROOT, Work

_START_S = 60.0
_POLL_S = 0.005


@dataclass(frozen=True)
class Server:
    """A server that answers.

    Args:
        pid: its first process.
        port: where it listens, on 127.0.0.1.
        live_s: seconds from its start to the first 200 of its probe.
        answer_s: seconds from its start to the first right answer.
    """

    pid: int
    port: int
    live_s: float
    answer_s: float


@contextmanager
def running(contender: Contender, environment: Environment, work: Work) -> Iterator[Server]:
    """Run a contender on a free port; its processes are ended afterwards, whatever happens.

    Raises:
        BenchmarkError: If it does not answer, or answers wrongly.
    """
    port = _free_port()
    command = [str(environment.python), *contender.command(work, port)]
    with tempfile.TemporaryFile("w+") as log:
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            live_s = _first(lambda: _is_live(port, contender.probe), process, began)
            answer_s = _first(lambda: _is_right(port, work), process, began)
            yield Server(process.pid, port, live_s, answer_s)
        except BenchmarkError as error:
            log.seek(0)
            raise BenchmarkError(f"{contender.title}, {work.name}: {error}\n{log.read()[-2000:]}") from error
        finally:
            processes.stop(process.pid)
            process.wait()


def _first(holds: Callable[[], bool], process: subprocess.Popen[bytes], began: float) -> float:
    while not holds():
        if process.poll() is not None:
            raise BenchmarkError(f"the server ended with exit code {process.returncode}; its output:")
        if time.monotonic() - began > _START_S:
            raise BenchmarkError(f"the server did not answer within {_START_S:g} s; its output:")
        time.sleep(_POLL_S)
    return time.monotonic() - began


def _is_live(port: int, probe: str) -> bool:
    return _ask(port, "GET", probe)[0] == 200


def _is_right(port: int, work: Work) -> bool:
    status, body = _ask(port, "POST", PATH, work.body)
    if status != 200:
        return False
    if json.loads(body) != json.loads(work.answer):
        raise BenchmarkError(f"the answer is {body!r}; expected {work.answer}. Its output:")
    return True


def _ask(port: int, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
    """Status and body of one request; status 0 without an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
