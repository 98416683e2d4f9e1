"""A model that does what a request tells it, the wrong things above all."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from litgen_runtime import BatchEndpoint, Endpoint, HTTPError
from tests.integration.services.schemas import Answer, Command


class UnpicklableError(Exception):
    """Cannot leave its process."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)
        self.lock = threading.Lock()
        self.second = second

    def __reduce__(self) -> str:
        raise TypeError("not to be pickled")


class UnspeakableError(Exception):
    """Cannot even be printed."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Act(Endpoint[Command, Answer]):
    """Obeys."""

    def predict(self, request: Command) -> Answer:
        """Do it, and say what came of it."""
        return Answer(value=_ACTIONS[request.do](request), pid=os.getpid())


class ActTogether(BatchEndpoint[Command, Answer]):
    """Obeys a batch, one after the other; what one of them raises, it raises for all."""

    def predict(self, batch: list[Command]) -> list[Answer]:
        """Do it, and say what came of it."""
        return [Answer(value=_ACTIONS[request.do](request), pid=os.getpid()) for request in batch]


class ActDetailed(Endpoint[Command, Answer]):
    """Returns what is not quite an Answer."""

    def predict(self, request: Command) -> Answer:
        """Return it."""
        answer: Answer = _RESULTS[request.do](os.getpid())
        return answer


class ActLater(Endpoint[Command, Answer]):
    """Does nothing for a while, and what it is told once it is stopped."""

    async def predict(self, request: Command) -> Answer:
        """Wait."""
        try:
            if request.do == "spin-and-raise":
                while not self.cancelled():
                    time.sleep(0.01)  # noqa: ASYNC251 - what an owner may do
                raise ValueError("a secret word")
            if request.do == "fork":
                return Answer(value=_fork(request), pid=os.getpid())
            await asyncio.sleep(request.seconds)
        except asyncio.CancelledError:
            if request.do == "raise":
                raise ValueError("a secret word") from None
            if request.do != "answer":
                raise
        return Answer(value="late", pid=os.getpid())


def _raises(error: BaseException) -> Callable[[Command], Any]:
    def act(request: Command) -> Any:
        raise error

    return act


def _sleep(request: Command) -> float:
    time.sleep(request.seconds)
    return request.seconds


def _hold_gil(request: Command) -> None:
    ctypes.PyDLL(None).usleep(int(request.seconds * 1e6))


def _native(request: Command) -> None:
    """Sleep in native code without the GIL, where Python cannot interrupt it."""
    ctypes.CDLL(None).usleep(int(request.seconds * 1e6))


def _spin(request: Command) -> None:
    """Compute in Python, as an endless loop does."""
    until = time.monotonic() + request.seconds
    while time.monotonic() < until:
        pass


def _spawn(request: Command) -> int:
    return subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({request.seconds})"]).pid


def _spawn_shell(request: Command) -> int:
    """Start a grandchild that inherits every inheritable descriptor, in a session of its own."""
    arguments = ["sleep", str(request.seconds)]
    return os.posix_spawn("/bin/sleep", arguments, os.environ, setsid=True)


def _fork(request: Command) -> Any:
    """Fork a child that does not end itself, and return how it ended."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if request.text == "exit":
        sys.exit(request.number)
    if request.text == "raise":
        raise ValueError("a child's word")
    return "a child's answer"


def _http_error(request: Command) -> None:
    raise HTTPError(request.number or 429, request.text or "slow down", {"Retry-After": "3", "X-Owner": "me"})


def _descend(request: Command) -> Any:
    value: list[Any] = []
    for _ in range(request.number):
        value = [value]
    return value


def _cycle(request: Command) -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def _torch_threads() -> int:
    import torch

    return int(torch.get_num_threads())


_HOARD: list[bytes] = []
_ACTIONS: dict[str, Callable[[Command], Any]] = {
    "pid": lambda _: os.getpid(),
    "echo": lambda request: request.text,
    "sleep": _sleep,
    "hold-gil": _hold_gil,
    "native": _native,
    "spin": _spin,
    "spawn": _spawn,
    "spawn-session": _spawn_shell,
    "modules": lambda _: sorted(sys.modules),
    "die": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "exit-process": lambda request: os._exit(request.number),
    "fork": _fork,
    "hoard": lambda request: _HOARD.append(b"x" * request.number),
    "stay": lambda request: threading.Thread(target=time.sleep, args=(600,)).start(),
    "environment": lambda request: os.environ.get(request.text),
    "torch-threads": lambda _: _torch_threads(),
    "large": lambda request: "x" * request.number,
    # results
    "nan": lambda _: float("nan"),
    "inf": lambda _: [1.0, {"deep": -float("inf")}],
    "nan-key": lambda _: {float("nan"): 1},
    "numpy-scalar": lambda _: np.float32(1.5),
    "numpy-int": lambda _: np.int64(7),
    "numpy-bool": lambda _: np.bool_(True),
    "numpy-array": lambda _: np.arange(6, dtype=np.float32).reshape(2, 3),
    "numpy-nan": lambda _: np.array([1.0, np.nan]),
    "numpy-nan-scalar": lambda _: np.float32("nan"),
    "numpy-nan-inside": lambda _: {"rows": [np.array([np.inf])]},
    "bytes": lambda _: b"plain",
    "bytes-invalid": lambda _: b"\xff\xfe",
    "surrogate": lambda _: "\ud800",
    "surrogate-key": lambda _: {"\udfff": 1},
    "object": lambda _: object(),
    "lambda": lambda _: lambda: None,
    "deep": _descend,
    "cycle": _cycle,
    "set": lambda _: {1, 2},
    "huge-int": lambda _: 10**5000,
    "null-text": lambda _: "null NaN Infinity",
    # errors
    "raise": _raises(KeyError("a secret word")),
    "unpicklable": _raises(UnpicklableError("a secret word", "b")),
    "unspeakable": _raises(UnspeakableError()),
    "surrogate-error": _raises(ValueError("a secret \ud800 word")),
    "system-exit": _raises(SystemExit(0)),
    "keyboard": _raises(KeyboardInterrupt()),
    "generator-exit": _raises(GeneratorExit()),
    "recursion": _raises(RecursionError()),
    "memory": _raises(MemoryError()),
    "http-error": _http_error,
    "bad-http-error": lambda _: HTTPError(200),
    "http-error-injection": lambda _: HTTPError(400, "x", {"X-A": "b\r\nX-C: d"}),
    "http-error-framing": lambda _: HTTPError(400, "x", {"Content-Length": "1"}),
    "http-error-surrogate": lambda _: (_ for _ in ()).throw(HTTPError(400, "lone \ud800")),
}

_RESULTS: dict[str, Callable[[int], Any]] = {
    "none": lambda _: None,
    "dict": lambda pid: {"value": 1, "pid": pid},
    "numpy-fields": lambda pid: {"value": np.ones(2), "pid": np.int64(pid), "score": np.float32(0.5)},
    "missing": lambda pid: {"value": 1},
    "wrong-type": lambda pid: {"value": 1, "pid": "one"},
    "text": lambda _: "an answer",
    "nan-field": lambda pid: Answer(value=1, pid=pid, score=float("nan")),
    "inf-field": lambda pid: {"value": 1, "pid": pid, "score": float("inf")},
    "numpy-in-field": lambda pid: Answer.model_construct(value=1, pid=pid, score=np.float64(0.25), name=""),
    "unchecked": lambda pid: Answer(value=1, pid=pid).model_copy(update={"pid": "one"}),
    "surrogate-field": lambda pid: Answer.model_construct(value=1, pid=pid, score=None, name="\ud800"),
    "exception": lambda _: ValueError("a secret word"),
    "exception-class": lambda _: ValueError,
    "generator": lambda _: (i for i in range(3)),
    "coroutine": lambda pid: _eventually(pid),
}


async def _eventually(pid: int) -> Answer:
    return Answer(value="awaited", pid=pid)
