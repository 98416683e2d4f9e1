"""Where an endpoint's requests come in that takes jobs: with ``Prefer: respond-async``, a job is handed in.

Where ``sync_to_job_after_s`` is set, any other request is a call that becomes a job once it has taken so long.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial
from math import inf

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.dispatcher.ticket import Ticket
from litgen_runtime.errors import IdempotencyKeyMissing, MethodNotAllowed
from litgen_runtime.http.body import Reader
from litgen_runtime.http.callbacks import Callbacks
from litgen_runtime.http.door import Call, Door, admit, own_limit_s
from litgen_runtime.http.gate import Gate
from litgen_runtime.http.job_papers import base_of, paper_of
from litgen_runtime.http.job_results import FileAnswer, result_of
from litgen_runtime.http.leaving import leaving
from litgen_runtime.http.lifecycle import Lifecycle
from litgen_runtime.http.messages import Answer, Receive, Scope, Send
from litgen_runtime.http.preferences import Preferences, preferences_of, wants_job
from litgen_runtime.jobs.desk import Desk
from litgen_runtime.jobs.record import Job
from litgen_runtime.jobs.takeover import CallUnderWay, Heard
from litgen_runtime.jobs.wish import Wish
from litgen_runtime.settings import EndpointSettings
from litgen_runtime.transport.bodies import SpooledBody


class JobDoor(Door):
    """One endpoint's.

    Args:
        dispatcher: the endpoint's queue.
        reader: how its bodies are taken.
        lifecycle: where the service stands.
        answer_type: the media type of its results.
        gate: who may come in; None: everybody.
        settings: its choices.
        desk: where jobs are handed in.
        callbacks: who may be told of them.
    """

    selects = True

    def __init__(
        self,
        dispatcher: Dispatcher,
        reader: Reader,
        lifecycle: Lifecycle,
        answer_type: str,
        gate: Gate | None,
        settings: EndpointSettings,
        desk: Desk,
        callbacks: Callbacks,
    ) -> None:
        super().__init__(dispatcher, reader, lifecycle, answer_type, gate)
        self._to_job_after_s = inf if settings.sync_to_job_after_s is None else settings.sync_to_job_after_s
        self._needs_key = settings.idempotency_key == "required"
        self._desk = desk
        self._callbacks = callbacks

    def takes(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether a request with these headers may take the short way."""
        return self._to_job_after_s == inf and not wants_job(headers)

    async def _serve(self, call: Call, scope: Scope, receive: Receive, send: Send) -> Answer | None:
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"{scope['path']} answers POST.", {"Allow": "POST"})
        wishes, at_most_s = preferences_of(scope), own_limit_s(call.head)
        keyless = self._needs_key and wishes.key is None
        if wishes.is_async and keyless:
            raise IdempotencyKeyMissing(
                "Jobs of this endpoint need an Idempotency-Key. Send one, such as a UUID, and the same with retries."
            )
        if not wishes.is_async and (keyless or at_most_s <= self._to_job_after_s):
            return await super()._serve(call, scope, receive, send)
        self._lifecycle.enter()
        try:
            answer = await self._taken(call, scope, receive, wishes, at_most_s)
            if isinstance(answer, FileAnswer):
                await answer.send(scope, send, call.request_id)
                return None
            return answer
        finally:
            self._lifecycle.leave()

    async def _taken(
        self, call: Call, scope: Scope, receive: Receive, wishes: Preferences, at_most_s: float
    ) -> Answer | FileAnswer:
        """Take the body in, and answer with a job, or as one does that may become one."""
        callback = await self._callbacks.wished(wishes, base_of(scope), call.principal or "")
        if not wishes.is_async:
            self._reader.admit()
        limit_s = inf if wishes.is_async else at_most_s
        body = await self._reader.read(receive, call.head, limit_s, scope.get("litgen.gathered"))
        wish = Wish(
            self._name,
            call.principal or "",
            body,
            (call.head.content_type or b"").decode("latin-1"),
            wishes.key,
            wishes.start_within_s,
            wishes.cancel_after_s,
            wishes.retries,
            callback,
        )
        with contextlib.ExitStack() as holding:
            if isinstance(body, SpooledBody):
                holding.callback(body.discard)
            if not wishes.is_async:
                return await self._call_or_job(call, wish, at_most_s, scope, holding)
            job, replayed = await self._desk.ledger.submit(wish)
        del body, wish  # whoever waits for the result does not hold them meanwhile
        self._desk.stats.accept_s[self._name].observe(time.monotonic() - call.arrived)
        headers = {"Preference-Applied": "respond-async"}
        return await self._told(job, wishes.wait_s, scope, headers, replayed=replayed)

    async def _told(
        self, job: Job, wait_s: float, scope: Scope, headers: dict[str, str], *, replayed: bool
    ) -> Answer | FileAnswer:
        """Return the job's result if it is there within so many seconds, else the job."""
        headers |= {"Vary": "Prefer"} | ({"Idempotency-Replayed": "true"} if replayed else {})
        if wait_s > 0:
            with leaving(scope) as left:
                job = await self._desk.changed(job, wait_s, left)
            if job.is_terminal:
                answer = await result_of(self._desk.ledger, job, headers)
                self._dispatcher.stats.answers[200] += 1  # not how long it took: its client wished it to
                return answer
        self._dispatcher.stats.answers[202] += 1
        return (await paper_of(self._desk.ledger, job, scope)).answer(202, headers)

    async def _call_or_job(
        self, call: Call, wish: Wish, at_most_s: float, scope: Scope, holding: contextlib.ExitStack
    ) -> Answer | FileAnswer:
        """Answer a call, or with a job once it has taken too long; one whose client has left by then is none."""
        deadline = call.arrived + self._to_job_after_s
        client = _Client(scope)
        try:
            known = await self._desk.ledger.find(wish) if wish.key is not None else None
            if known is not None:
                return await self._told(known, deadline - time.monotonic(), scope, {}, replayed=True)
            admit(self._lifecycle, self._name)
            ticket = self._dispatcher.submit(wish.body, call.arrived, endless=True)
            heard = Heard()
            ticket.on_note = heard.hear
            client.tell(partial(self.abandon, ticket))
            await _ended(ticket, deadline - time.monotonic())
            if ticket.is_open:
                client.defer()  # from here on there will be a job, whoever leaves
                file = holding.pop_all()
                under_way = CallUnderWay(self._dispatcher, ticket, wish, heard, file.close)
                made = await self._desk.become_job(self._name, under_way)
                if made is not None:
                    return await self._told(made[0], 0.0, scope, {}, replayed=made[1])
                holding.push(file)
                client.tell(partial(self.abandon, ticket))
                self._dispatcher.handover.bound(ticket, min(self._dispatcher.timeout_s, at_most_s))
                await _ended(ticket, inf)
            return self._answer(call, ticket)
        finally:
            client.forget()


class _Client:
    """Who waits for a call; its leaving has no effect until somebody is to be told.

    Args:
        scope: its request.
    """

    def __init__(self, scope: Scope) -> None:
        self._connection = scope.get("litgen.connection")
        self._has_left = False
        self.defer()

    def tell(self, on_lost: Callable[[], None]) -> None:
        """Have somebody told when it leaves, or has left."""
        if self._has_left:
            on_lost()
        elif self._connection is not None:
            self._connection.on_lost = on_lost

    def defer(self) -> None:
        """Tell nobody, for now."""
        if self._connection is not None:
            self._connection.on_lost = self._left

    def forget(self) -> None:
        """It has its answer."""
        if self._connection is not None:
            self._connection.on_lost = None

    def _left(self) -> None:
        self._has_left = True


async def _ended(ticket: Ticket, seconds: float) -> None:
    """Wait for a call's outcome, so many seconds at most."""
    done = asyncio.Event()
    ticket.on_done = done.set
    if ticket.is_open and seconds > 0:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if seconds == inf else seconds):
                await done.wait()
