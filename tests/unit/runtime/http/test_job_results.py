"""Large results on their way to clients."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from litgen_runtime.http.job_results import FileAnswer

SIZE = 1_000_000


def sent(tmp_path: Path, *, leaves_after: int | None = None) -> tuple[list[bytes], int, int]:
    """Send a file; return the pieces, how often the client has been credited for taking one, and how much was read."""
    path = tmp_path / "result"
    path.write_bytes(bytes(SIZE))
    pieces: list[bytes] = []
    taken: list[None] = []
    transport = SimpleNamespace(is_closing=lambda: len(pieces) == leaves_after)
    connection = SimpleNamespace(progressed=lambda: taken.append(None), transport=transport)
    file = path.open("rb", buffering=0)
    read = 0

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal read
        read = file.tell()
        if message["type"] == "http.response.start":
            assert (b"content-length", b"1000000") in message["headers"]
        elif message["body"]:
            pieces.append(message["body"])

    async def main() -> None:
        answer = FileAnswer(b"text/plain", SIZE, file)
        await answer.send({"method": "GET", "litgen.connection": connection}, send, b"id")

    asyncio.run(main())
    assert file.closed
    return pieces, len(taken), read


def test_piece_by_piece(tmp_path: Path) -> None:
    """No more than a piece is read before the client has taken the one before."""
    pieces, taken, _ = sent(tmp_path)
    assert (b"".join(pieces), taken) == (bytes(SIZE), len(pieces))
    assert max(map(len, pieces)) <= 262_144


def test_a_client_that_leaves(tmp_path: Path) -> None:
    """The rest is not read for nobody."""
    pieces, _, read = sent(tmp_path, leaves_after=1)
    assert (len(pieces), read) == (1, 262_144)
