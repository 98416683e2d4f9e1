"""Bodies and results on their way to the store and back, without holding up the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import BinaryIO

from litgen_runtime.errors import StorageDamaged, StorageFull
from litgen_runtime.jobs.blobs import INLINE_BYTES, Blobs
from litgen_runtime.jobs.store import Payload, PayloadLost, StoreDamaged, StoreFailed
from litgen_runtime.transport.bodies import SpooledBody, spooled_body, unpack_body

_SPOOLED = ".spool"  # the name's end of a file that workers read themselves


class Payloads:
    """What jobs are asked with, and what comes of them.

    Args:
        blobs: where large ones are.
    """

    def __init__(self, blobs: Blobs) -> None:
        self.blobs = blobs

    async def keep(self, name: str, content_type: str, data: bytes) -> Payload:
        """Return a payload, its file being written if it is large.

        Raises:
            StorageFull: there is no room for it.
        """
        try:
            if len(data) <= INLINE_BYTES:
                return self.blobs.keep(name, content_type, data)
            return await asyncio.to_thread(self.blobs.keep, name, content_type, data)
        except StoreFailed as error:
            raise storage_full(error) from None

    async def keep_body(self, job_id: str, content_type: str, body: bytes) -> Payload:
        """Return the payload of a body; a file that it stands in is copied.

        Raises:
            StorageFull: there is no room for it.
        """
        if not isinstance(body, SpooledBody):
            return await self.keep(f"{job_id}.body", content_type, body)
        path, name = unpack_body(body).path or "", f"{job_id}{_SPOOLED}"
        try:
            return await asyncio.to_thread(self.blobs.keep_file, name, content_type, path, body.size)
        except StoreFailed as error:
            raise storage_full(error) from None

    async def body(self, job_id: str, payload: Payload) -> bytes:
        """Return what the dispatcher is given; a file stays, for it goes with its job.

        Raises:
            StorageFull: it cannot be read.
        """
        if payload.file is None or not payload.file.endswith(_SPOOLED):
            return await self.data(payload)
        (await self.opened(payload.file)).close()  # it is there: a worker could not say what its loss means
        content_type, path = payload.content_type.encode("latin-1"), self.blobs.path(payload.file)
        return spooled_body(content_type, path, payload.size, job_id.encode(), lambda: None)

    async def body_or_error(self, job_id: str, payload: Payload) -> bytes | StorageFull:
        """Return what the dispatcher is given, or why it cannot be read."""
        try:
            return await self.body(job_id, payload)
        except StorageFull as error:
            return error

    async def drop(self, names: Collection[str]) -> None:
        """Delete files: to do so to large ones takes a while."""
        if names:
            await asyncio.to_thread(self.blobs.drop, names)

    async def opened(self, name: str) -> BinaryIO:
        """Return a file, to be read.

        Raises:
            StorageFull: it cannot be.
        """
        try:
            return await asyncio.to_thread(self.blobs.opened, name)
        except StoreFailed as error:
            raise storage_full(error) from None

    async def data(self, payload: Payload) -> bytes:
        """Return what a payload holds.

        Raises:
            StorageFull: its file cannot be read.
        """
        if payload.file is None:
            return payload.data or b""
        try:
            return await asyncio.to_thread(self.blobs.data, payload)
        except StoreFailed as error:
            raise storage_full(error) from None


def storage_full(error: StoreFailed) -> StorageFull:
    """Return what a client is told of it."""
    if isinstance(error, PayloadLost):
        what = (
            "What this job was asked with, or its result, is gone from the service's disk; no later try fares better."
        )
        return StorageDamaged(what, log=str(error))
    if isinstance(error, StoreDamaged):  # the log has it from the store, once
        return StorageDamaged("The service's job store is damaged: jobs are out of order until its operator mends it.")
    return StorageFull("Jobs cannot be stored at the moment. Retry shortly.", {"Retry-After": "5"}, log=str(error))
