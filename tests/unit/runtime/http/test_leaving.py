"""Clients that leave while they wait for a job."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from litgen_runtime.http.leaving import leaving
from tests.unit.runtime.fakes import run


class Connection:
    """A client's."""

    def __init__(self, *, is_closing: bool = False) -> None:
        self.on_lost: Any = None
        self.transport = SimpleNamespace(is_closing=lambda: is_closing)


def test_a_client_that_leaves() -> None:
    """It is noticed, however often it is told."""

    async def main() -> None:
        connection = Connection()
        with leaving({"litgen.connection": connection}) as left:
            assert not left.done()
            connection.on_lost()
            connection.on_lost()
            assert left.done()
        assert connection.on_lost is None

    run(main())


def test_a_client_that_has_left_before() -> None:
    """Nobody waits for it."""

    async def main() -> None:
        with leaving({"litgen.connection": Connection(is_closing=True)}) as left:
            assert left.done()

    run(main())


def test_an_app_without_our_connections() -> None:
    """Nobody leaves."""

    async def main() -> None:
        with leaving({}) as left:
            await asyncio.sleep(1.0)
            assert not left.done()

    run(main())
