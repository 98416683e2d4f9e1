"""What clients and fate do to the service, a method for each kind of event."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

from tests.soak import lines
from tests.soak.answers import Answer, Asked
from tests.soak.ledger import Ledger
from tests.soak.lines import Cut, Line
from tests.soak.malformed import malformed
from tests.soak.models import answer_to
from tests.soak.plan import Event
from tests.soak.target import ORDINARY, Target

_MOST_FLOOD = 40
_LOADING_S = 1.0
_LARGE = 8_000_000  # more than the sockets between service and client hold
_LARGE_CHECKED = 70_000  # more than the door checks itself


class Deeds:
    """Does events.

    Args:
        target: the service.
        ledger: where every request is noted.
        lap: what makes its requests' keys unique.
    """

    def __init__(self, target: Target, ledger: Ledger, lap: str) -> None:
        self._target = target
        self._ledger = ledger
        self._lap = lap
        self._numbers = itertools.count(1)
        self._killing_http = asyncio.Lock()
        self._kinds: dict[str, Callable[[Event, random.Random], Awaitable[None]]] = {
            "ask": self._ask_some,
            "crowd": self._crowd,
            "pipeline": self._pipeline,
            "stream": self._ask_some,
            "malformed": self._malformed,
            "probe": self._probe,
            "raise": self._bad,
            "refuse": self._bad,
            "poison": self._poison,
            "hang-python": self._bad,
            "hang-native": self._bad,
            "hang-gil": self._bad,
            "deadline": self._deadline,
            "leave": self._leave,
            "leave-mid-body": self._leave_mid_body,
            "leave-mid-stream": self._leave_mid_stream,
            "drip": self._drip,
            "stall": self._stall,
            "deaf": self._deaf,
            "slow-reader": self._slow_reader,
            "flood": self._flood,
            "kill-worker": self._kill_worker,
            "freeze-worker": self._freeze_worker,
            "kill-http": self._kill_http,
        }

    async def do(self, event: Event) -> None:
        """Let one event happen, to its end."""
        await self._kinds[event.kind](event, random.Random(event.seed))

    # what clients send

    def _request(self, endpoint: str, dice: random.Random, *headers: str, may: Iterable[str] = (), **more: Any) -> Sent:
        key = f"{endpoint}-{self._lap}-{next(self._numbers)}"
        value = dice.randrange(10**9)
        items = dice.randrange(0, 9) if endpoint == "stream" else 0
        document = {"key": key, "value": value, "seconds": dice.choice((0.0, 0.0, 0.005, 0.02)), "items": items, **more}
        if dice.random() < 0.05:
            document["pad"] = "p" * _LARGE_CHECKED
        asked = Asked(
            key=key,
            endpoint=endpoint,
            expected=answer_to(value),
            items=document["items"] if endpoint == "stream" else None,
            may=ORDINARY[endpoint] | frozenset(may),
        )
        accept = ["Accept: application/x-ndjson"] if dice.random() < 0.3 else []
        body = json.dumps(document).encode()
        return Sent(asked, lines.post(f"/{endpoint}", key, body, *accept, *headers))

    async def _exchange(self, sent: Sent, line: Line | None = None) -> bool:
        """Send a request and note its answer; True if the connection lives on."""
        self._ledger.opened(sent.asked, time.monotonic())
        try:
            own = line or await Line.open(self._target.port)
            try:
                await own.send(sent.data)
                return await self._settle(sent.asked, own)
            finally:
                if line is None:
                    own.close()
        except Cut:
            self._ledger.cut(sent.asked.key, time.monotonic())
            return False

    async def _settle(self, asked: Asked, line: Line) -> bool:
        """Read and note one answer; what never comes stays open in the ledger."""
        try:
            answer = await line.answer()
        except Cut:
            self._ledger.cut(asked.key, time.monotonic())
            return False
        except TimeoutError:
            return False
        self._ledger.answered(asked.key, answer, time.monotonic())
        if answer.status == 503 and b":loading" in answer.body:
            await asyncio.sleep(_LOADING_S)  # or most events would happen to a service that is not there yet
        return answer.headers.get("connection") != "close"

    async def _open(self, asked: Asked, *, deaf: bool = False) -> Line | None:
        """Note a request and connect for it."""
        self._ledger.opened(asked, time.monotonic())
        try:
            return await Line.open(self._target.port, deaf=deaf)
        except Cut:
            self._ledger.cut(asked.key, time.monotonic())
            return None

    # well-behaved clients

    async def _ask_some(self, event: Event, dice: random.Random) -> None:
        """One to four requests, one after the other, on one connection as long as it lives."""
        requests = [self._request(event.endpoint, dice) for _ in range(dice.choice((1, 1, 2, 4)))]
        try:
            line = await Line.open(self._target.port)
        except Cut:
            return
        try:
            for sent in requests:
                if not await self._exchange(sent, line):
                    return
            if surplus := line.surplus():
                self._ledger.fault(f"{requests[-1].asked.key}: more than its answer: {surplus[:200]!r}")
        finally:
            line.close()

    async def _crowd(self, event: Event, dice: random.Random) -> None:
        """A dozen clients at once."""
        await asyncio.gather(*(self._exchange(self._request(event.endpoint, dice)) for _ in range(12)))

    async def _pipeline(self, event: Event, dice: random.Random) -> None:
        """Several requests in one write; the answers come in their order."""
        requests = [self._request(event.endpoint, dice) for _ in range(dice.randrange(2, 6))]
        for sent in requests[1:]:
            self._ledger.opened(sent.asked, time.monotonic())
        line = await self._open(requests[0].asked)
        if line is None:
            for sent in requests[1:]:
                self._ledger.cut(sent.asked.key, time.monotonic())
            return
        await line.send(b"".join(sent.data for sent in requests))
        for sent in requests:
            await self._settle(sent.asked, line)
        line.close()

    async def _probe(self, event: Event, dice: random.Random) -> None:
        """Probes are answered whatever happens."""
        path = dice.choice(("/livez", "/readyz", "/health", "/metrics"))
        with contextlib.suppress(Cut):
            status, body = await lines.fetch(self._target.port, path)
            if status not in (200, 503) or not body:
                self._ledger.fault(f"{path}: {status} {body[:200]!r}")

    # what models do

    async def _bad(self, event: Event, dice: random.Random) -> None:
        """A request that its model fails on, or hangs in."""
        may = {"raise": {"predict-failed"}, "refuse": {"error"}}.get(event.kind, set())
        await self._exchange(self._request(event.endpoint, dice, may=may, do=event.kind, items=6))

    async def _poison(self, event: Event, dice: random.Random) -> None:
        """A request that kills its worker; sometimes its client tries again."""
        sent = self._request(event.endpoint, dice, may=("quarantined",), do="die", items=6)
        if dice.random() < 0.3:
            twin = self._twin(sent)
            sent = Sent(replace(sent.asked, sendings=2), sent.data)
            await self._exchange(sent)
            sent = twin
        await self._exchange(sent)

    def _twin(self, sent: Sent) -> Sent:
        """Return the same body as another request; its runs are noted as the first one's."""
        key = f"{sent.asked.key}.again"
        data = sent.data.replace(f"X-Request-ID: {sent.asked.key}".encode(), f"X-Request-ID: {key}".encode())
        return Sent(replace(sent.asked, key=key, body_key=sent.asked.key), data)

    async def _deadline(self, event: Event, dice: random.Random) -> None:
        """A client that waits for less time than the work takes."""
        header = f"X-Request-Timeout: {dice.uniform(0.01, 0.4):.3f}"
        await self._exchange(self._request(event.endpoint, dice, header, seconds=dice.uniform(0.0, 0.3)))

    # clients that leave

    async def _leave(self, event: Event, dice: random.Random) -> None:
        """A client that goes while its request waits or runs."""
        do = "polite" if event.endpoint in ("once", "again") else "work"
        sent = self._request(event.endpoint, dice, do=do, seconds=dice.uniform(0.0, 0.3))
        line = await self._open(sent.asked)
        if line is not None:
            await line.send(sent.data)
            await asyncio.sleep(dice.uniform(0.0, 0.3))
            self._go(sent.asked, line, dice)

    async def _leave_mid_body(self, event: Event, dice: random.Random) -> None:
        """A client that goes before its request is whole."""
        sent = self._request(event.endpoint, dice, pad="p" * dice.choice((10, 100_000)))
        line = await self._open(sent.asked)
        if line is not None:
            await line.send(sent.data[: dice.randrange(1, len(sent.data))])
            await asyncio.sleep(dice.uniform(0.0, 0.1))
            self._go(sent.asked, line, dice)

    async def _leave_mid_stream(self, event: Event, dice: random.Random) -> None:
        """A client that goes after the first items."""
        sent = self._request(event.endpoint, dice, items=2000, seconds=0.005)
        line = await self._open(sent.asked)
        if line is None:
            return
        await line.send(sent.data)
        try:
            _, headers = await line.begin()
            if headers.get("transfer-encoding") == "chunked":
                for _ in range(dice.randrange(1, 4)):
                    await line.chunk()
        except (Cut, TimeoutError):
            pass  # what it would have got makes no difference to one who leaves
        self._go(sent.asked, line, dice)

    def _go(self, asked: Asked, line: Line, dice: random.Random) -> None:
        self._ledger.left(asked.key, time.monotonic())
        line.close(reset=dice.random() < 0.5)

    # slow clients

    async def _drip(self, event: Event, dice: random.Random) -> None:
        """A client that sends in small pieces, nearly too slowly or a little too slowly."""
        sent = self._request(event.endpoint, dice, may=("client-too-slow",))
        line = await self._open(sent.asked)
        if line is None:
            return
        size = max(len(sent.data) // dice.randrange(4, 12), 1)
        pause_s = dice.choice((0.02, 0.05, 0.25))
        for start in range(0, len(sent.data), size):
            await line.send(sent.data[start : start + size])
            await asyncio.sleep(pause_s)
        await self._settle(sent.asked, line)
        line.close()

    async def _stall(self, event: Event, dice: random.Random) -> None:
        """A client that stops in the middle of its headers or its body, and waits."""
        sent = self._request(event.endpoint, dice)
        asked = replace(sent.asked, may=frozenset({"client-too-slow", "timeout", "queue-full"}))
        line = await self._open(asked)
        if line is not None:
            await line.send(sent.data[: dice.randrange(1, len(sent.data) - 1)])
            await self._settle(asked, line)
            line.close()

    async def _deaf(self, event: Event, dice: random.Random) -> None:
        """A client that does not read its large answer, for a moment or for too long."""
        sent = self._request(event.endpoint, dice, size=_LARGE)
        asked = replace(sent.asked, may_be_cut=True)
        line = await self._open(asked, deaf=True)
        if line is not None:
            await line.send(sent.data)
            await asyncio.sleep(dice.choice((0.3, 4.0)))
            await self._settle(asked, line)
            line.close()

    async def _slow_reader(self, event: Event, dice: random.Random) -> None:
        """A client that takes a stream slowly, and all of it."""
        sent = self._request(event.endpoint, dice, items=60, seconds=0.0, size=10_000)
        line = await self._open(sent.asked, deaf=True)
        if line is None:
            return
        await line.send(sent.data)
        try:
            self._ledger.answered(sent.asked.key, await _slowly(line), time.monotonic())
        except Cut:
            self._ledger.cut(sent.asked.key, time.monotonic())
        except TimeoutError:
            pass  # it stays open in the ledger
        line.close()

    # too much, or nonsense

    async def _flood(self, event: Event, dice: random.Random) -> None:
        """Far more at once than the queue holds."""
        count = dice.randrange(_MOST_FLOOD // 2, _MOST_FLOOD)
        requests = [self._request(event.endpoint, dice, seconds=0.02) for _ in range(count)]
        await asyncio.gather(*map(self._exchange, requests))

    async def _malformed(self, event: Event, dice: random.Random) -> None:
        """What no client should send."""
        sent = self._request(event.endpoint, dice)
        data, codes = malformed(event.endpoint, sent.asked.key, dice)
        await self._exchange(Sent(replace(sent.asked, may=codes), data))

    # fate

    async def _kill_worker(self, event: Event, dice: random.Random) -> None:
        """Kill -9 of a worker."""
        if workers := self._target.workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(dice.choice(workers), signal.SIGKILL)

    async def _freeze_worker(self, event: Event, dice: random.Random) -> None:
        """A worker that does not move for a while."""
        if workers := self._target.workers:
            pid = dice.choice(workers)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                await asyncio.sleep(dice.uniform(0.1, 0.6))
                os.kill(pid, signal.SIGCONT)

    async def _kill_http(self, event: Event, dice: random.Random) -> None:
        """Kill -9 of the HTTP process; its connections are cut, and soon there is another."""
        async with self._killing_http:
            began = time.monotonic()
            for pid in self._target.http:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            while True:
                with contextlib.suppress(Cut, TimeoutError):
                    if (await lines.fetch(self._target.port, "/livez"))[0] == 200:
                        break
                await asyncio.sleep(0.05)
            self._ledger.outage(began, time.monotonic())


class Sent:
    """A request, and its bytes."""

    __slots__ = ("asked", "data")

    def __init__(self, asked: Asked, data: bytes) -> None:
        self.asked = asked
        self.data = data


async def _slowly(line: Line) -> Answer:
    status, headers = await line.begin()
    if headers.get("transfer-encoding") != "chunked":
        return await line.rest(status, headers)
    pieces = []
    while piece := await line.chunk():
        pieces.append(piece)
        await asyncio.sleep(0.02)
    return Answer(status, headers, b"".join(pieces))
