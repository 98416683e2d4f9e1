"""Large results on their way to clients: read from their files as they are taken, so that nothing has to hold them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import BinaryIO, NamedTuple

from litgen_runtime.http.messages import Scope, Send
from litgen_runtime.jobs.ledger import Ledger
from litgen_runtime.jobs.payloads import storage_full
from litgen_runtime.jobs.record import Job, Status
from litgen_runtime.jobs.store import StoreFailed

_PIECE_BYTES = 262_144


class FileAnswer(NamedTuple):
    """An answer that stands in a file, which is open until it has been sent."""

    content_type: bytes
    size: int
    file: BinaryIO

    async def send(self, scope: Scope, send: Send, request_id: bytes) -> None:
        """Answer; the next piece is read once the client has taken most of those before."""
        headers = [
            (b"content-type", self.content_type),
            (b"content-length", b"%d" % self.size),
            (b"x-request-id", request_id),
        ]
        connection = scope.get("litgen.connection")
        with self.file:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            while scope["method"] != "HEAD" and (piece := await asyncio.to_thread(self.file.read, _PIECE_BYTES)):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                if connection is not None:
                    connection.progressed()
                    if connection.transport.is_closing():
                        return
            await send({"type": "http.response.body", "body": b""})


async def file_answer_of(ledger: Ledger, job: Job) -> FileAnswer | None:
    """Return the answer of the synchronous call, where it is large; None where it is not, or there is none.

    Raises:
        StorageFull: it cannot be read.
    """
    found = await ledger.result_file(job) if job.status is Status.SUCCEEDED else None
    if found is None:
        return None
    content_type, size, path = found
    try:
        return FileAnswer(content_type.encode("latin-1"), size, await asyncio.to_thread(Path(path).open, "rb"))
    except OSError as error:
        raise storage_full(StoreFailed(f"{path}: {error.strerror}")) from None
