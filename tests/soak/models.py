"""The models of the soaked service: they note each run in a file, then obey."""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from litgen_runtime import BatchEndpoint, Endpoint, HTTPError, StreamEndpoint
from tests.soak.schemas import Ask, Piece, Told

RUNS = "LITGEN_SOAK_RUNS"  # the file that every run is noted in, a key a line
_FOREVER_S = 60


@cache
def _runs() -> int:
    return os.open(os.environ[RUNS], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def _note(request: Ask) -> None:
    """Append the request's key: one short write, which is whole or not there whatever happens to this process."""
    os.write(_runs(), f"{request.key}\n".encode())


def _die(request: Ask) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _raise(request: Ask) -> None:
    raise ValueError(f"{request.key} is bad")


def _refuse(request: Ask) -> None:
    raise HTTPError(418, f"not {request.key}")


_DEEDS: dict[str, Callable[[Ask], Any]] = {
    "work": lambda request: time.sleep(request.seconds),
    "die": _die,
    "raise": _raise,
    "refuse": _refuse,
    "hang-python": lambda _: threading.Event().wait(_FOREVER_S),
    "hang-native": lambda _: ctypes.CDLL(None).sleep(_FOREVER_S),  # without the GIL
    "hang-gil": lambda _: ctypes.PyDLL(None).sleep(_FOREVER_S),  # with it
}


def answer_to(value: int) -> int:
    """Return what a request's value becomes."""
    return 3 * value + 1


def _told(request: Ask) -> Told:
    return Told(key=request.key, value=answer_to(request.value), pid=os.getpid(), ballast="x" * request.size)


class Single(Endpoint[Ask, Told]):
    """One at a time."""

    def predict(self, request: Ask) -> Told:
        """Note it, obey, answer; stop early when nobody waits any more."""
        _note(request)
        if request.do == "polite":
            until = time.monotonic() + request.seconds
            while time.monotonic() < until and not self.cancelled():
                time.sleep(0.01)
        else:
            _DEEDS[request.do](request)
        return _told(request)


class Batch(BatchEndpoint[Ask, Told]):
    """Several at a time."""

    def predict(self, batch: list[Ask]) -> list[Told | BaseException]:
        """Note them all, then obey each; what is refused fails alone."""
        for request in batch:
            _note(request)
        return [self._one(request) for request in batch]

    def _one(self, request: Ask) -> Told | BaseException:
        try:
            _DEEDS[request.do](request)
        except HTTPError as error:
            return error
        return _told(request)


class Stream(StreamEndpoint[Ask, Piece]):
    """Items; it obeys after the first half of them."""

    def predict(self, request: Ask) -> Iterator[Piece]:
        """Note it and yield."""
        _note(request)
        for index in range(request.items):
            if index == request.items // 2 and request.do != "work":
                _DEEDS[request.do](request)
            time.sleep(request.seconds)
            yield Piece(key=request.key, index=index, pid=os.getpid(), ballast="x" * request.size)
