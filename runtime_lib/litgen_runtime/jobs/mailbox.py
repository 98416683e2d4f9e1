"""The verbs of deliveries over the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import NamedTuple, TypeVar

from litgen_runtime.errors import NotFound
from litgen_runtime.jobs.delivery import Delivery, DeliveryStatus, Posting
from litgen_runtime.jobs.payloads import storage_full
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

    async def collect(self, now: float, busy: Mapping[str, frozenset[str]], per_place: int, most: int) -> Post:
        """Return what is due, the longest due first, for receivers that have room.

        Args:
            now: the time.
            busy: the ids that are being sent, by place.
            per_place: how many at most one receiver is sent at once.
            most: how many to return at most.

        Raises:
            StorageFull: it cannot be read now.
        """

        def work(rows: Rows) -> Post:
            ready: list[Posting] = []
            next_due = float("inf")
            for place, first_due in rows.places():
                sending = busy.get(place, frozenset())
                room = per_place - len(sending)
                if room <= 0 or first_due > now:
                    next_due = next_due if room <= 0 else min(next_due, first_due)
                    continue
                found = [each for each in rows.pending(place, per_place + 1) if each.delivery.id not in sending]
                due = [each for each in found if each.delivery.due <= now]
                ready += due[:room]
                next_due = min([next_due, *(each.delivery.due for each in found[len(due) :])])
            ready.sort(key=lambda each: each.delivery.due)
            return Post(ready[:most], next_due)

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
