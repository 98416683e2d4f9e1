"""A client for streams: a closed loop that counts items as they come, since a slow stream may outlast a load.

`python -m tests.benchmarks.streaming PORT CONNECTIONS WARM_UP_S SECONDS ITEMS PATH BODY` prints what `post.lua`
prints, with items for requests and the time to the first item for latency. An item is counted by the name of its one
field, so that events and lines count alike, and costs the client next to nothing: the bytes are searched, not parsed.
"""

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

_ITEM = b'"token"'
_END = b"\r\n0\r\n\r\n"  # Source: RFC 9112, 7.1: the last chunk, after another one
_TAIL = len(_ITEM) - 1  # what may be the first part of either
_RETRY_S = 0.01


class Tally:
    """What all streams together have seen since the warm-up."""

    def __init__(self) -> None:
        self.items = 0
        self.failed = 0
        self.firsts_s: list[float] = []

    def clear(self) -> None:
        """Forget the warm-up."""
        self.__init__()  # type: ignore[misc]  # on an instance of this very class


class Stream(asyncio.Protocol):
    """One connection: asks again as soon as its stream has ended."""

    def __init__(self, tally: Tally, request: bytes, expected: int) -> None:
        self.ended = asyncio.get_running_loop().create_future()
        self._tally = tally
        self._request = request
        self._expected = expected
        self._items, self._tail, self._answered, self._began = 0, b"", False, 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Count what has come."""
        if not self._answered:
            self._answered = True
            if not data.startswith(b"HTTP/1.1 200"):
                self._transport.close()
                return
        seen = self._tail + data
        fresh = seen.count(_ITEM)
        if fresh and not self._items:
            self._tally.firsts_s.append(time.monotonic() - self._began)
        self._items += fresh
        self._tally.items += fresh
        self._tail = seen[-_TAIL:]
        if seen.endswith(_END):
            self._tally.failed += self._items != self._expected
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so; what was under way has failed."""
        self._tally.failed += 1
        self.ended.set_result(None)

    def _ask(self) -> None:
        self._items, self._tail, self._answered = 0, b"", False
        self._began = time.monotonic()
        self._transport.write(self._request)


async def _keep(port: int, tally: Tally, request: bytes, expected: int) -> None:
    """Hold one connection open, for as long as the load lasts."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            _, stream = await loop.create_connection(lambda: Stream(tally, request, expected), "127.0.0.1", port)
            await stream.ended
        except OSError:
            tally.failed += 1
        await asyncio.sleep(_RETRY_S)


async def _load(port: int, connections: int, warm_up_s: float, seconds: float, expected: int, request: bytes) -> str:
    tally = Tally()
    keeping = [asyncio.ensure_future(_keep(port, tally, request, expected)) for _ in range(connections)]
    await asyncio.sleep(warm_up_s)
    tally.clear()
    began = time.monotonic()
    await asyncio.sleep(seconds)
    told = {"requests": tally.items + tally.failed, "duration_us": int((time.monotonic() - began) * 1e6)}
    firsts_s = sorted(tally.firsts_s) or [0.0]
    for name, share in (("p50_us", 0.5), ("p99_us", 0.99)):
        told[name] = int(firsts_s[int(len(firsts_s) * share)] * 1e6)
    for task in keeping:
        task.cancel()
    return json.dumps(told | {"failed": tally.failed})


def main() -> None:
    """Make the load that the command line asks for."""
    port, connections, warm_up_s, seconds, expected = (int(text) for text in sys.argv[1:6])
    path, body = sys.argv[6], sys.argv[7].encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    told = uvloop.run(_load(port, connections, warm_up_s, seconds, expected, request))
    print(f"RESULT {told}")  # noqa: T201 - its output is what it is for


if __name__ == "__main__":
    main()
