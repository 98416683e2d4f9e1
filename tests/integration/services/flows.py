"""Models that stream, some of them badly."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from litgen_runtime import HTTPError, StreamEndpoint
from tests.integration.services.schemas import Answer, Command


class Flow(StreamEndpoint[Command, Answer]):
    """Yields ``number`` items, and does what it is told after the first one."""

    def predict(self, request: Command) -> Any:
        """Begin."""
        if request.do == "refuse":
            raise HTTPError(418, "Not today.", {"Retry-After": "7"})
        if request.do == "no-generator":
            return 5
        return self._items(request)

    def _items(self, request: Command) -> Iterator[Answer]:
        if request.do == "fail-first":
            raise ValueError("secret")
        try:
            for index in range(request.number):
                if request.seconds:
                    time.sleep(request.seconds)
                yield Answer(value=index, pid=os.getpid(), name="x" * 10_000 if request.do == "large" else "")
                self._after(request)
                if self.cancelled():
                    return
        finally:
            if request.text:
                Path(request.text).write_text(f"closed {time.monotonic()}", encoding="utf-8")

    def _after(self, request: Command) -> None:
        if request.do == "fail":
            raise ValueError("secret")
        if request.do == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if request.do == "hang":
            threading.Event().wait()
        if request.do == "break":
            raise RuntimeError("CUDA error: device-side assert triggered")
        if request.do == "fork":
            child = os.fork()
            if child:
                os.waitpid(child, 0)
        if request.do == "exit":
            raise SystemExit(3)


class BadItem(StreamEndpoint[Command, Answer]):
    """Its second item is no Answer."""

    def predict(self, request: Command) -> Iterator[Any]:
        """Yield them."""
        yield Answer(value=1, pid=0)
        yield {"value": float("nan")}


class Async(StreamEndpoint[Command, Answer]):
    """Waits before each item without holding up the others."""

    async def setup(self, device: str) -> None:
        """Make what belongs to the loop that ``predict`` runs in."""
        self.turn = asyncio.Lock()

    async def predict(self, request: Command) -> AsyncIterator[Answer]:
        """Yield them."""
        try:
            for index in range(request.number):
                await asyncio.sleep(request.seconds)
                async with self.turn:
                    yield Answer(value=index, pid=os.getpid())
        finally:
            if request.text:
                Path(request.text).write_text("closed", encoding="utf-8")  # noqa: ASYNC240 - a test's mark, for once
