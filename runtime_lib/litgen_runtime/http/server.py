"""uvicorn's server, told by the supervisor when to end; it looks after slow clients and drains."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import time
from collections.abc import Callable, Iterator

import uvicorn

from litgen_runtime.errors import Draining
from litgen_runtime.http.connection import TimedProtocol
from litgen_runtime.http.crowd import Crowd
from litgen_runtime.http.lanes import Lanes
from litgen_runtime.http.messages import App
from litgen_runtime.settings import ServiceSettings

_SWEEP_TICKS = 5  # of uvicorn's ten a second
_FLUSH_S = 2
_FLUSH_POLL_S = 0.05


class Server(uvicorn.Server):
    """uvicorn's server, told by the supervisor when to end instead of by signals.

    Args:
        app: the ASGI app.
        settings: the time limits.
        crowd: who is to hold the connections.
        lanes: the endpoints that may be reached without the app.
        on_listening: called once connections are taken.
    """

    def __init__(
        self,
        app: App,
        settings: ServiceSettings,
        crowd: Crowd,
        lanes: Lanes,
        on_listening: Callable[[], None],
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=functools.partial(TimedProtocol, crowd=crowd, lanes=lanes),  # type: ignore[arg-type]  # called, nothing else
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_FLUSH_S,
            )
        )
        self._on_listening = on_listening
        self._limits = {
            "headers": settings.header_timeout_s,
            "body": settings.body_timeout_s,
            "reading": settings.body_timeout_s,
        }

    def cut(self) -> int:
        """Answer ``draining`` to every request whose body has not come; return how many that were."""
        coming = [c for c in self._connections() if c.waits_for == "body" and not c.cycle.response_complete]
        for connection in coming:
            detail = "The service stopped before this request was complete: its drain time was over. Retry elsewhere."
            connection.refuse(Draining(detail))
        return len(coming)

    def _connections(self) -> list[TimedProtocol]:
        return [connection for connection in self.server_state.connections if isinstance(connection, TimedProtocol)]

    async def flushed(self, timeout_s: float) -> None:
        """Wait until clients have taken what was written for them, or the time is over."""
        deadline = time.monotonic() + timeout_s
        while any(c.transport.get_write_buffer_size() for c in self.server_state.connections):
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(_FLUSH_POLL_S)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signals."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._on_listening()

    async def on_tick(self, counter: int) -> bool:
        """Twice a second, look for clients that let us wait."""
        if counter % _SWEEP_TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in self._connections():
                connection.sweep(now, self._limits)
        return await super().on_tick(counter)
