"""Clients that wait for a job, and leave."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from litgen_runtime.http.messages import Scope


@contextlib.contextmanager
def leaving(scope: Scope) -> Iterator[asyncio.Future[None]]:
    """Within this, the future is done once the client of a request has left: nobody is to be waited for in its name."""
    left: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def leave() -> None:
        if not left.done():
            left.set_result(None)

    connection = scope.get("litgen.connection")
    if connection is not None:
        connection.on_lost = leave
        if connection.transport.is_closing():
            leave()
    try:
        yield left
    finally:
        if connection is not None:
            connection.on_lost = None
