"""Starting a contender, and noting when it answers."""

import http.client
import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.benchmarks import processes
from tests.benchmarks.contenders import Contender
from tests.benchmarks.environments import Environment
from tests.benchmarks.errors import BenchmarkError
from tests.benchmarks.works import PATH, ROOT, Ask, Work

_START_S = 60.0
_POLL_S = 0.005
_ANSWER_S = 60.0


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
    env = {**os.environ, **contender.env}
    with tempfile.TemporaryFile("w+") as log:
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            live_s = _first(lambda: _is_live(port, contender.probe), process, began)
            answer_s = _first(lambda: _is_right(port, work, contender.ask(work)), process, began)
            yield Server(process.pid, port, live_s, answer_s)
        except BenchmarkError as error:
            log.seek(0)
            raise BenchmarkError(f"{contender.title}, {work.name}: {error}\n{log.read()[-2000:]}") from error
        finally:
            processes.stop(process.pid)
            process.wait()


def settle(server: Server, work: Work, ask: Ask) -> None:
    """Wait until a server has done what clients that left have asked of it: one right answer, in its turn.

    Raises:
        BenchmarkError: If it does not answer, or answers wrongly.
    """
    deadline = time.monotonic() + _ANSWER_S
    while not _is_right(server.port, work, ask):
        if time.monotonic() > deadline:
            raise BenchmarkError(f"the server does not answer any more, for {_ANSWER_S:g} s; its output:")
        time.sleep(_POLL_S)


def _first(holds: Callable[[], bool], process: subprocess.Popen[bytes], began: float) -> float:
    while not holds():
        if process.poll() is not None:
            raise BenchmarkError(f"the server ended with exit code {process.returncode}; its output:")
        if time.monotonic() - began > _START_S:
            raise BenchmarkError(f"the server did not answer within {_START_S:g} s; its output:")
        time.sleep(_POLL_S)
    return time.monotonic() - began


def _is_live(port: int, probe: str) -> bool:
    return _ask(port, "GET", probe, b"", "")[0] == 200


def _is_right(port: int, work: Work, ask: Ask) -> bool:
    status, body = _ask(port, "POST", PATH, ask.body, ask.content_type)
    if status != 200:
        return False
    answer = _items(body) if work.streams else json.loads(body)
    if answer != ask.answer:
        raise BenchmarkError(f"the answer is {body[:500]!r}; expected {str(ask.answer)[:500]}. Its output:")
    return True


def _items(body: bytes) -> list[Any]:
    """What a stream of events, or of lines, holds."""
    lines = [line.strip() for line in body.decode().splitlines()]
    texts = [line.removeprefix("data:") for line in lines if line.startswith(("data:", "{"))]
    return [json.loads(text) for text in texts]


def _ask(port: int, method: str, path: str, body: bytes, content_type: str) -> tuple[int, bytes]:
    """Status and body of one request; status 0 without an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)
    try:
        connection.request(method, path, body or None, {"Content-Type": content_type} if content_type else {})
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
