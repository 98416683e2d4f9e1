"""GET /v1/jobs/ID/events: what has happened to a job, and what does, as server-sent events until it has ended.

Source: WHATWG HTML, 9.2 (the format, and ``Last-Event-ID``).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncGenerator

from litgen_runtime.errors import InvalidHeader, JobGone, NotFound
from litgen_runtime.http.job_papers import iso
from litgen_runtime.http.messages import Answer, Receive, Scope, Send, header, send_answer
from litgen_runtime.jobs.desk import Desk
from litgen_runtime.jobs.record import TERMINAL, Job
from litgen_runtime.jobs.store import Event

_KEEP_ALIVE_S = 15.0
_KEEP_ALIVE = b":\n\n"
_PAGE = 100
_NUMBER = re.compile(rb"\d{1,12}")
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx passes events on at once
]


async def stream_events(desk: Desk, job: Job, scope: Scope, receive: Receive, send: Send, request_id: bytes) -> None:
    """Send all events of a job after the one that the client has seen last; live until its end.

    A client that has seen the last one is answered 204, at which browsers stop asking.

    Raises:
        InvalidHeader: Last-Event-ID is no number.
    """
    after = _last_seen(scope)
    if job.is_terminal and not await _events(desk, job, after):
        await send_answer(send, Answer(204, b"text/event-stream", b""), request_id)
        return
    headers = [*_HEADERS, (b"x-request-id", request_id)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["method"] != "HEAD":
        with desk.bells.listen(job.id) as bell:
            leaving = asyncio.get_running_loop().create_task(_left(receive, bell))
            try:
                await _send_on(desk, job, after, bell, leaving, scope, send)
            finally:
                leaving.cancel()
    await send({"type": "http.response.body", "body": b""})


async def _send_on(
    desk: Desk, job: Job, after: int, bell: asyncio.Event, leaving: asyncio.Task[None], scope: Scope, send: Send
) -> None:
    connection = scope.get("litgen.connection")
    async with contextlib.aclosing(_told(desk, job, after, bell, leaving)) as told:
        async for events in told:
            text = b"".join(map(_text, events)) or _KEEP_ALIVE
            await send({"type": "http.response.body", "body": text, "more_body": True})  # waits for a slow client
            if connection is not None:
                connection.progressed()


async def _told(
    desk: Desk, job: Job, after: int, bell: asyncio.Event, leaving: asyncio.Task[None]
) -> AsyncGenerator[list[Event], None]:
    """Yield what happens, page by page; nothing now and then; until there is nothing more to come."""
    while True:
        bell.clear()
        events = await _events(desk, job, after)
        if events:
            yield events
            after = events[-1].number
            if events[-1].kind in TERMINAL:
                return
            if len(events) == _PAGE:
                continue
        if desk.bells.silenced or leaving.done():
            return
        try:
            async with asyncio.timeout(_KEEP_ALIVE_S):
                await bell.wait()
        except TimeoutError:
            with contextlib.suppress(NotFound, JobGone):
                await desk.ledger.get(job.id, job.principal)
                yield []
                continue
            return


async def _events(desk: Desk, job: Job, after: int) -> list[Event]:
    """Return what has happened since; number 0, its acceptance, is written nowhere else than in the job."""
    found = list(await desk.ledger.events(job.id, max(after, 0), _PAGE))
    if after < 0:
        document = {"status": "queued", "attempt": 0, "error": None}
        found.insert(0, Event(0, job.created_at, "queued", json.dumps(document).encode()))
    return found


async def _left(receive: Receive, bell: asyncio.Event) -> None:
    """Wait for the client to leave."""
    while (await receive())["type"] != "http.disconnect":
        pass
    bell.set()


def _text(event: Event) -> bytes:
    document = {"at": iso(event.at), **json.loads(event.data or b"{}")}
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.number, event.kind.encode(), json.dumps(document).encode())


def _last_seen(scope: Scope) -> int:
    """Return the number that a client has seen last; -1: none."""
    given = header(scope, b"last-event-id")
    if given is None:
        return -1
    if not _NUMBER.fullmatch(given):
        shown = given[:40].decode("latin-1")
        raise InvalidHeader(f"Last-Event-ID is {shown!r}; expected the id of an event, such as 3.")
    return int(given)
