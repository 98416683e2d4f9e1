"""Large results on their way to clients: read from their files as they are taken, so that nothing has to hold them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import BinaryIO, NamedTuple

from litgen_runtime.http.job_papers import answer_of
from litgen_runtime.http.messages import Answer, Scope, Send
from litgen_runtime.jobs.ledger import Ledger
from litgen_runtime.jobs.record import Job, Status

_PIECE_BYTES = 262_144


class FileAnswer(NamedTuple):
    """An answer that stands in a file, which is open until it has been sent."""

    content_type: bytes
    size: int
    file: BinaryIO
    headers: Mapping[str, str] = {}

    async def send(self, scope: Scope, send: Send, request_id: bytes) -> None:
        """Answer; the next piece is read once the client has taken most of those before."""
        headers = [
            (b"content-type", self.content_type),
            (b"content-length", b"%d" % self.size),
            (b"x-request-id", request_id),
            *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()),
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


async def result_of(ledger: Ledger, job: Job, headers: Mapping[str, str] | None = None) -> Answer | FileAnswer:
    """Return the answer that the synchronous call would have had, of a job that has ended.

    Raises:
        RequestError: what went wrong; or there is none, since the job was canceled, or expired.
        StorageFull: it cannot be read.
    """
    return await _file_answer_of(ledger, job, headers or {}) or await answer_of(ledger, job, headers)


async def _file_answer_of(ledger: Ledger, job: Job, headers: Mapping[str, str]) -> FileAnswer | None:
    found = await ledger.result_file(job) if job.status is Status.SUCCEEDED else None
    if found is None:
        return None
    content_type, size, file = found
    return FileAnswer(content_type.encode("latin-1"), size, file, headers)
