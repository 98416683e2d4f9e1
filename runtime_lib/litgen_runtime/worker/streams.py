"""Running streams: one event loop in the main thread advances many generators, an item at a time, in turn.

A stream may be so far ahead of its client and no further: each item spends of its allowance, which the HTTP process
renews as the client takes what was sent.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterable, Iterable, Sequence
from contextvars import ContextVar
from typing import Any

from litgen_runtime.batching import Reason
from litgen_runtime.errors import InvalidResult
from litgen_runtime.transport.frames import DROPPED, STREAM_WINDOW, Result, cost_of, pack_batch
from litgen_runtime.worker.codec import Codec, failure
from litgen_runtime.worker.forks import OwnProcess, end_child
from litgen_runtime.worker.inbox import Arrival
from litgen_runtime.worker.outbox import Chunk, Outbox
from litgen_runtime.worker.runner import Runner

_OWN_PROCESS = OwnProcess()


class _Stream:
    """One generator on its way."""

    def __init__(self, key: int) -> None:
        self.key = key
        self.allowance = STREAM_WINDOW
        self.allowed = asyncio.Event()
        self.cancelled = False
        self.begun = False
        self.task: asyncio.Task[None] | None = None

    def allow(self, amount: int) -> None:
        self.allowance += amount
        if self.allowance > 0:
            self.allowed.set()

    def cancel(self) -> None:
        """Interrupt it once: what it does in its ``finally`` is not disturbed, and what has not begun answers too."""
        if self.begun and not self.cancelled and self.task is not None:
            self.task.cancel()
        self.cancelled = True


_current: ContextVar[_Stream] = ContextVar("_current")


class Streams:
    """The work of a ``StreamEndpoint``.

    Args:
        runner: the loaded model.
        codec: how its items are encoded.
        outbox: where they go.
    """

    def __init__(self, runner: Runner, codec: Codec, outbox: Outbox) -> None:
        self._runner = runner
        self._loop = runner.loop
        self._generate = runner.generator(lambda: _current.get().cancelled)
        self._codec = codec
        self._outbox = outbox
        self._streams: dict[int, _Stream] = {}
        self._closed = asyncio.Event()

    def add(self, arrivals: Sequence[Arrival]) -> None:
        """Take decoded requests: all begin at once, since the HTTP process sends no more than may run."""
        self._loop.call_soon_threadsafe(self._begin, arrivals)

    def cancel(self, keys: Sequence[int]) -> None:
        """Nobody listens to these any more: they are closed where they yield."""
        self._loop.call_soon_threadsafe(self._each, keys, _Stream.cancel)

    def recall(self, keys: Sequence[int]) -> None:
        """Do nothing: each stream has begun as it came."""

    def allow(self, amounts: Sequence[tuple[int, int]]) -> None:
        """The clients have taken so much: (id, amount)."""
        for key, amount in amounts:
            self._loop.call_soon_threadsafe(self._each, (key,), lambda stream, more=amount: stream.allow(more))

    def close(self) -> None:
        """Let ``run`` end."""
        self._loop.call_soon_threadsafe(self._closed.set)

    def run(self) -> None:
        """Advance streams until closed, or until nothing can run here any more."""
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        await self._closed.wait()
        if self._runner.broken:
            return  # the others are in no state to be closed; they end with this process
        tasks = [stream.task for stream in self._streams.values() if stream.task is not None]
        self._each(list(self._streams), _Stream.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _each(self, keys: Iterable[int], act: Any) -> None:
        for key in keys:
            stream = self._streams.get(key)
            if stream is not None:
                act(stream)

    def _begin(self, arrivals: Sequence[Arrival]) -> None:
        now = time.monotonic()
        for arrival in arrivals:
            if arrival.deadline <= now:
                self._outbox.put_aside(Result(arrival.id, DROPPED, 0.0, b""))
                continue
            stream = self._streams[arrival.id] = _Stream(arrival.id)
            self._outbox.put(pack_batch([arrival.id], Reason.ALONE), here=len(self._streams) == 1)
            stream.task = self._loop.create_task(self._run(stream, arrival.request))

    async def _run(self, stream: _Stream, request: Any) -> None:
        _current.set(stream)
        stream.begun = True
        began = time.monotonic()
        try:
            if not stream.cancelled:
                with _OWN_PROCESS:
                    await self._advance(stream, request)
            result = Result(stream.key, DROPPED if stream.cancelled else 200, time.monotonic() - began, b"")
        except BaseException as error:  # noqa: BLE001 - SystemExit in predict must not end the worker either
            run_s = time.monotonic() - began
            dropped = Result(stream.key, DROPPED, run_s, b"")
            error = self._runner.judged(error)
            result = dropped if stream.cancelled else failure(stream.key, run_s, error)
            if self._runner.broken:
                self._closed.set()
        del self._streams[stream.key]
        self._outbox.put(result, here=not self._streams)

    async def _advance(self, stream: _Stream, request: Any) -> None:
        items = self._generate(request)
        if inspect.isawaitable(items):
            items = await items
        try:
            if isinstance(items, AsyncIterable):
                async for item in items:
                    await self._give(stream, item)
            elif isinstance(items, Iterable):
                for item in items:
                    await self._give(stream, item)
            else:
                log = f"predict of a StreamEndpoint returned {type(items).__name__}; expected items to iterate over"
                raise InvalidResult("The model's result is not a valid response.", log=log)
        finally:
            await _close(items)

    async def _give(self, stream: _Stream, item: Any) -> None:
        """Send one item, then let the others have their turn."""
        end_child()
        body = self._codec.encode_item(item)
        stream.allowance -= cost_of(body)
        self._outbox.put(Chunk(stream.key, body), here=len(self._streams) == 1)
        while stream.allowance <= 0 and not stream.cancelled:
            stream.allowed.clear()
            await stream.allowed.wait()
        await asyncio.sleep(0)
        if stream.cancelled:  # and the generator has caught that
            raise asyncio.CancelledError


async def _close(items: Any) -> None:
    """Let a generator that has been left run its ``finally`` now."""
    if hasattr(items, "aclose"):
        await items.aclose()
    elif hasattr(items, "close"):
        items.close()
