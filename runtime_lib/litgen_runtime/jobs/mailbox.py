"""The verbs of deliveries over the store."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from heapq import heapify, heappop, heappush
from math import inf
from typing import NamedTuple, TypeVar

from litgen_runtime.errors import NotFound
from litgen_runtime.jobs.delivery import Delivery, DeliveryStatus, Line, Posting
from litgen_runtime.jobs.payloads import storage_full
from litgen_runtime.jobs.shares import Shares
from litgen_runtime.jobs.store import Rows, Store, StoreFailed, owned

R = TypeVar("R")


class Post(NamedTuple):
    """What is to be sent: ``ready`` now, and nothing more before ``next_due``, in seconds since 1970."""

    ready: Sequence[Posting]
    next_due: float


class Mailbox:
    """The deliveries of one service.

    Args:
        store: where they are kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def take_up(self, later_than: float, now: float) -> None:
        """Take up what an earlier process left; what is due later than it can be is due now.

        Raises:
            StorageFull: nothing can be written now.
        """
        await self._do(self._store.write, lambda rows: rows.bring_deliveries_forward(later_than, now))

    async def collect(self, now: float, busy: Mapping[str, Line], per_place: int, most: int) -> Post:
        """Return what is due, for receivers and clients that have room: of who is sent least, the longest due first.

        Args:
            now: the time.
            busy: what is being sent, by id.
            per_place: how many at most one receiver is sent at once.
            most: how many there may be in all at once; one client's webhooks never take more than they leave.

        Raises:
            StorageFull: it cannot be read now.
        """

        def work(rows: Rows) -> Post:
            ready: list[Posting] = []
            shares = Shares(most, (line.principal for line in busy.values()))
            places, lines = Counter(line.place for line in busy.values()), Counter(busy.values())
            found = rows.lines()
            next_due = min((due for _, due in found if due > now), default=inf)
            turns = [(shares.held(line.principal), due, line) for line, due in found if due <= now]
            heapify(turns)
            while turns:
                held, due, line = heappop(turns)
                room = min(per_place - places[line.place], shares.room(line.principal))
                if room <= 0:  # there is again once an attempt ends
                    continue
                if held != shares.held(line.principal):
                    heappush(turns, (shares.held(line.principal), due, line))
                    continue
                pending = [each for each in rows.pending(line, lines[line] + room + 1) if each.delivery.id not in busy]
                taken = [each for each in pending if each.delivery.due <= now][:room]
                next_due = min([next_due, *(each.delivery.due for each in pending if each.delivery.due > now)])
                ready += taken
                places[line.place] += len(taken)
                shares.take(line.principal, len(taken))
            return Post(ready, next_due)

        return await self._do(self._store.read, work)

    async def record(self, delivery: Delivery, sent: Delivery) -> None:
        """Write what has become of a delivery; one asked for again meanwhile goes again, unless it has arrived.

        Args:
            delivery: as it is now.
            sent: as it was when it was taken out to be sent.

        Raises:
            StorageFull: nothing can be written now.
        """

        def work(rows: Rows) -> None:
            stored, new = rows.delivery(delivery.id), delivery
            if stored is not None and stored.due != sent.due and delivery.status is not DeliveryStatus.DELIVERED:
                new = replace(delivery, status=DeliveryStatus.PENDING, step=0, due=stored.due, ended_at=None)
            rows.put_delivery(new)

        await self._do(self._store.write, work)

    async def of(self, job_id: str, principal: str) -> Sequence[Delivery]:
        """Return the deliveries of a job, the earliest first.

        Raises:
            NotFound: there is no such job of this principal.
        """

        def work(rows: Rows) -> Sequence[Delivery]:
            owned(rows, job_id, principal)
            return rows.deliveries(job_id)

        return await self._do(self._store.read, work)

    async def change(self, delivery_id: str, principal: str, change: Callable[[Delivery], Delivery]) -> Delivery:
        """Change a delivery, and return it as it is then.

        Raises:
            NotFound: there is no such delivery of this principal.
            StorageFull: nothing can be written now.
        """

        def work(rows: Rows) -> Delivery:
            delivery = rows.delivery(delivery_id)
            job = rows.get(delivery.job) if delivery is not None else None
            if delivery is None or job is None or job.principal != principal:
                raise NotFound(f"There is no delivery {delivery_id[:64]!r}.")
            new = change(delivery)
            rows.put_delivery(new)
            return new

        return await self._do(self._store.write, work)

    async def _do(self, ask: Callable[[Callable[[Rows], R]], Future[R]], work: Callable[[Rows], R]) -> R:
        try:
            return await asyncio.shield(asyncio.wrap_future(ask(work)))
        except StoreFailed as error:
            raise storage_full(error) from None
