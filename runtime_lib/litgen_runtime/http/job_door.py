"""Where an endpoint's requests come in that takes jobs: with ``Prefer: respond-async``, a job is handed in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.errors import MethodNotAllowed, WebhookUrlRejected
from litgen_runtime.http.body import Reader
from litgen_runtime.http.door import Call, Door
from litgen_runtime.http.gate import Gate
from litgen_runtime.http.job_papers import answer_of, base_of, paper_of
from litgen_runtime.http.leaving import leaving
from litgen_runtime.http.lifecycle import Lifecycle
from litgen_runtime.http.messages import Answer, Receive, Scope, Send
from litgen_runtime.http.preferences import Preferences, preferences_of, wants_job
from litgen_runtime.jobs.delivery import Callback
from litgen_runtime.jobs.desk import Desk
from litgen_runtime.jobs.wish import Wish
from litgen_runtime.transport.bodies import SpooledBody

if TYPE_CHECKING:
    from litgen_runtime.webhooks.office import Office


class JobDoor(Door):
    """One endpoint's.

    Args:
        dispatcher: the endpoint's queue.
        reader: how its bodies are taken.
        lifecycle: where the service stands.
        answer_type: the media type of its results.
        gate: who may come in; None: everybody.
        desk: where jobs are handed in.
        office: who sends webhooks; None where there are none.
    """

    selects = True

    def __init__(
        self,
        dispatcher: Dispatcher,
        reader: Reader,
        lifecycle: Lifecycle,
        answer_type: str,
        gate: Gate | None,
        desk: Desk,
        office: Office | None,
    ) -> None:
        super().__init__(dispatcher, reader, lifecycle, answer_type, gate)
        self._desk = desk
        self._office = office

    def takes(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether a request with these headers may take the short way."""
        return not wants_job(headers)

    async def _serve(self, call: Call, scope: Scope, receive: Receive, send: Send) -> Answer | None:
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"{scope['path']} answers POST.", {"Allow": "POST"})
        wishes = preferences_of(scope)
        if not wishes.is_async:
            return await super()._serve(call, scope, receive, send)
        self._lifecycle.enter()
        try:
            callback = await self._callback(wishes, scope)
            body = await self._reader.read(receive, call.head, float("inf"), scope.get("litgen.gathered"))
            try:
                return await self._accept(call, wishes, body, scope, callback)
            finally:
                if isinstance(body, SpooledBody):
                    body.discard()
        finally:
            self._lifecycle.leave()

    async def _callback(self, wishes: Preferences, scope: Scope) -> Callback | None:
        if wishes.webhook_url is None:
            return None
        if self._office is None:
            raise WebhookUrlRejected("Webhooks are off in this service. Its operator turns them on: webhooks.secrets.")
        return await self._office.callback(wishes.webhook_url, wishes.webhook_events, base_of(scope))

    async def _accept(
        self, call: Call, wishes: Preferences, body: bytes, scope: Scope, callback: Callback | None
    ) -> Answer:
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
        job, replayed = await self._desk.ledger.submit(wish)
        self._desk.stats.accept_s[self._name].observe(time.monotonic() - call.arrived)
        headers = {"Vary": "Prefer", "Preference-Applied": "respond-async"}
        if replayed:
            headers["Idempotency-Replayed"] = "true"
        if wishes.wait_s:
            with leaving(scope) as left:
                job = await self._desk.changed(job, wishes.wait_s, left)
        if wishes.wait_s and job.is_terminal:
            return await answer_of(self._desk.ledger, job, headers)
        paper = await paper_of(self._desk.ledger, job, scope)
        return paper.answer(202, headers)
