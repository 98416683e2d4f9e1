"""GET /v1/jobs/{id}/deliveries and POST /v1/deliveries/{id}/redeliver."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from litgen_runtime.errors import MethodNotAllowed, NotFound
from litgen_runtime.http.jobs_api import PATH, JobsApi
from litgen_runtime.http.messages import Answer, Receive, Scope, Send, header, request_id_of, send_answer
from litgen_runtime.http.webhook_papers import delivery_of
from litgen_runtime.jobs.desk import Desk
from litgen_runtime.jobs.record import ID_PATTERN

if TYPE_CHECKING:
    from litgen_runtime.webhooks.office import Office

_OF_JOB = re.compile(rf"{PATH}/({ID_PATTERN})/deliveries")
_REDELIVER = re.compile(r"/v1/deliveries/(msg_[0-9a-z]{26})/redeliver")


class DeliveriesApi:
    """The routes.

    Args:
        desk: the jobs.
        office: their webhooks; None where there are none.
        others: answers what is not about deliveries, and knows who asks.
    """

    def __init__(self, desk: Desk, office: Office | None, others: JobsApi) -> None:
        self._desk = desk
        self._office = office
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a ``RequestError`` passes through."""
        path = scope["path"]
        if match := _OF_JOB.fullmatch(path):
            answer = await self._list(scope, match[1], self._others.principal(scope))
        elif match := _REDELIVER.fullmatch(path):
            answer = await self._redeliver(scope, match[1], self._others.principal(scope))
        elif path.startswith("/v1/deliveries"):
            raise NotFound(f"There is nothing at {path[:200]!r}.")
        else:
            return await self._others(scope, receive, send)
        await send_answer(send, answer, request_id_of(header(scope, b"x-request-id")))
        return None

    async def _list(self, scope: Scope, job_id: str, principal: str) -> Answer:
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed(f"{scope['path']} answers GET.", {"Allow": "GET"})
        found = await self._desk.mailbox.of(job_id, principal)
        document = {"deliveries": [delivery_of(delivery) for delivery in found]}
        return Answer(200, b"application/json", json.dumps(document).encode(), {"Cache-Control": "no-store"})

    async def _redeliver(self, scope: Scope, delivery_id: str, principal: str) -> Answer:
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"{scope['path']} answers POST.", {"Allow": "POST"})
        if self._office is None:
            raise NotFound("Webhooks are off in this service; it sends nothing again. Set webhooks.secrets.")
        delivery = await self._office.redeliver(delivery_id, principal)
        return Answer(202, b"application/json", json.dumps(delivery_of(delivery)).encode())
