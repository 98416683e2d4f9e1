"""/v1/jobs: asking after jobs, fetching results, canceling, deleting."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs

from litgen_runtime.errors import InvalidQuery, MethodNotAllowed, NotFound
from litgen_runtime.http.callbacks import Callbacks
from litgen_runtime.http.etags import known_tags, tagged, unless_known
from litgen_runtime.http.gate import Gate, shows_key
from litgen_runtime.http.job_events import stream_events
from litgen_runtime.http.job_papers import listed, paper_of
from litgen_runtime.http.job_results import FileAnswer, result_of
from litgen_runtime.http.leaving import leaving
from litgen_runtime.http.messages import Answer, Receive, Scope, Send, header, request_id_of, send_answer
from litgen_runtime.http.preferences import MAX_WAIT_S, NUMBER
from litgen_runtime.jobs.again import again
from litgen_runtime.jobs.desk import Desk
from litgen_runtime.jobs.record import ID_PATTERN, Job, Status
from litgen_runtime.jobs.store import Query

PATH = "/v1/jobs"
_JOB = re.compile(rf"{PATH}/({ID_PATTERN})(?:/([a-z]+))?")
_EVENTS = re.compile(rf"{PATH}/({ID_PATTERN})/events")
_CURSOR = re.compile(ID_PATTERN)
_MAX_PAGE = 100
_LIMIT = re.compile(r"[0-9]{1,3}")

Handler = Callable[[Scope, str, str], Awaitable[Answer | FileAnswer]]


class JobsApi:
    """The routes.

    Args:
        desk: the jobs.
        gate: who may ask; None: everybody.
        callbacks: who may be told of jobs.
        gates: who may come in at each endpoint that is not open to everybody.
        count: told 1 for each large answer that begins to go out, and -1 when it is out.
        is_open: whether there are jobs of endpoints that ask for no key: those belong to whoever shows none.
    """

    def __init__(
        self,
        desk: Desk,
        gate: Gate | None,
        callbacks: Callbacks,
        gates: Mapping[str, Gate],
        count: Callable[[int], None],
        *,
        is_open: bool,
    ) -> None:
        self._desk = desk
        self._gate = gate
        self._callbacks = callbacks
        self._gates = gates
        self._count = count
        self._is_open = is_open
        self._handlers: dict[tuple[str | None, str], Handler] = {
            (None, "GET"): self._get,
            (None, "DELETE"): self._delete,
            ("result", "GET"): self._result,
            ("cancel", "POST"): self._cancel,
            ("retry", "POST"): self._retry,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a ``RequestError`` passes through."""
        request_id = request_id_of(header(scope, b"x-request-id"))
        events = _EVENTS.fullmatch(scope["path"])
        if events is not None:
            _expect(scope, "GET" if scope["method"] == "HEAD" else scope["method"], ("GET",))
            job = await self._desk.ledger.get(events[1], self.principal(scope))
            await stream_events(self._desk, job, scope, receive, send, request_id)
            return
        answer = await self._answer(scope)
        if isinstance(answer, FileAnswer):
            self._count(1)  # a drain waits for it; what is small is in the connection's buffer at once
            try:
                await answer.send(scope, send, request_id)
            finally:
                self._count(-1)
        else:
            await send_answer(send, answer, request_id)

    async def _answer(self, scope: Scope) -> Answer | FileAnswer:
        path, method = scope["path"], "GET" if scope["method"] == "HEAD" else scope["method"]
        principal = self.principal(scope)
        if path == PATH:
            _expect(scope, method, ("GET",))
            return await self._list(scope, principal)
        match = _JOB.fullmatch(path)
        methods = [known for part, known in self._handlers if match is not None and part == match[2]]
        if match is None or not methods:
            raise NotFound(f"There is nothing at {path[:200]!r}.")
        _expect(scope, method, methods)
        return await self._handlers[match[2], method](scope, match[1], principal)

    def principal(self, scope: Scope) -> str:
        """Return who asks.

        Raises:
            Unauthorized: it has no valid key.
        """
        if self._gate is None or (self._is_open and not shows_key(scope["headers"])):
            return ""
        return self._gate.admit(scope["headers"])

    async def _get(self, scope: Scope, job_id: str, principal: str) -> Answer:
        known = known_tags(scope)
        if known is not None:
            return await self._news(scope, job_id, principal, known)
        return await self._shown(await self._waited_for(scope, job_id, principal), scope)

    async def _shown(self, job: Job, scope: Scope) -> Answer:
        return tagged((await paper_of(self._desk.ledger, job, scope)).answer(200))

    async def _news(self, scope: Scope, job_id: str, principal: str, known: frozenset[bytes]) -> Answer:
        """Return the job as soon as it is not as the client knows it; 304 where it has ended, or the time is over."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _wait_s(scope)
        with self._desk.bells.listen(job_id) as bell, leaving(scope) as left:
            left.add_done_callback(lambda _: bell.set())
            while True:
                bell.clear()
                job = await self._desk.ledger.get(job_id, principal)
                answer = unless_known(await self._shown(job, scope), known)
                left_s = until - loop.time()
                if answer.status != 304 or job.is_terminal or left_s <= 0 or left.done() or self._desk.bells.silenced:
                    return answer
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left_s):
                        await bell.wait()

    async def _result(self, scope: Scope, job_id: str, principal: str) -> Answer | FileAnswer:
        job = await self._waited_for(scope, job_id, principal)
        if job.is_terminal:
            return await result_of(self._desk.ledger, job)
        return (await paper_of(self._desk.ledger, job, scope)).answer(202)

    async def _cancel(self, scope: Scope, job_id: str, principal: str) -> Answer:
        job = await self._desk.ledger.cancel(job_id, principal)
        status = 200 if job.status is Status.CANCELED else 202
        return (await paper_of(self._desk.ledger, job, scope)).answer(status)

    async def _retry(self, scope: Scope, job_id: str, principal: str) -> Answer:
        asked = await self._desk.ledger.get(job_id, principal)
        if asked.endpoint in self._gates:  # it may be closed to whoever could use it then
            self._gates[asked.endpoint].admit(scope["headers"])
        job, replayed = await again(self._desk.ledger, job_id, principal, self._callbacks.again)
        headers = {"Idempotency-Replayed": "true"} if replayed else {}
        return (await paper_of(self._desk.ledger, job, scope)).answer(202, headers)

    async def _delete(self, _: Scope, job_id: str, principal: str) -> Answer:
        await self._desk.ledger.delete(job_id, principal)
        return Answer(204, b"application/json", b"")

    async def _list(self, scope: Scope, principal: str) -> Answer:
        values = _query(scope, {"status", "endpoint", "cursor", "limit"})
        status = values.get("status")
        if status is not None and status not in set(Status):
            raise InvalidQuery(f"status is {status[:40]!r}; expected one of {', '.join(Status)}.")
        limit = values.get("limit", "50")
        if not _LIMIT.fullmatch(limit) or not 1 <= int(limit) <= _MAX_PAGE:
            raise InvalidQuery(f"limit is {limit[:40]!r}; expected 1 to {_MAX_PAGE}.")
        cursor = values.get("cursor")
        if cursor is not None and not _CURSOR.fullmatch(cursor):
            raise InvalidQuery(f"cursor is {cursor[:40]!r}; expected the next_cursor of the page before.")
        which = Status(status) if status else None
        query = Query(principal, which, values.get("endpoint"), cursor, int(limit))
        jobs = await self._desk.ledger.page(query)
        last = jobs[-1].id if len(jobs) == query.limit else None
        document = {"jobs": [listed(job, scope) for job in jobs], "next_cursor": last}
        return Answer(200, b"application/json", json.dumps(document).encode(), {"Cache-Control": "no-store"})

    async def _waited_for(self, scope: Scope, job_id: str, principal: str) -> Job:
        job = await self._desk.ledger.get(job_id, principal)
        seconds = _wait_s(scope)
        with leaving(scope) as left:
            return await self._desk.changed(job, seconds, left) if seconds else job


def _wait_s(scope: Scope) -> float:
    text = _query(scope, {"wait"}).get("wait", "0")
    if not NUMBER.fullmatch(text):
        raise InvalidQuery(f"wait is {text[:40]!r}; expected seconds, such as 20.")
    return min(float(text), MAX_WAIT_S)


def _query(scope: Scope, known: set[str]) -> dict[str, str]:
    values = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    for name in values:
        if name not in known:
            raise InvalidQuery(f"There is no query parameter {name[:40]!r}; known here: {', '.join(sorted(known))}.")
    return {name: given[-1] for name, given in values.items()}


def _expect(scope: Scope, method: str, methods: list[str] | tuple[str, ...]) -> None:
    if method not in methods:
        names = ", ".join(methods)
        raise MethodNotAllowed(f"{scope['path']} answers {names}.", {"Allow": names})
