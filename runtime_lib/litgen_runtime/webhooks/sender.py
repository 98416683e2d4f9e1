"""Sends what is due: a few at once to each receiver and for each client, so that none can hold up another."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from litgen_runtime.errors import StorageFull
from litgen_runtime.jobs.delivery import Delivery, DeliveryStatus, Line, Posting
from litgen_runtime.jobs.mailbox import Mailbox
from litgen_runtime.jobs.vital import must_not_fail
from litgen_runtime.webhooks import schedule
from litgen_runtime.webhooks.schedule import Attempt

log = logging.getLogger(__name__)

_PER_PLACE = 4
_MOST = 256
_AGAIN_S = 1.0
_GRACE_S = 1.0


class Sends(Protocol):
    """Who makes attempts."""

    async def attempt(self, posting: Posting) -> Attempt:
        """Make one."""


class Sender:
    """One service's.

    Args:
        mailbox: what is to be sent.
        poster: who sends it.
        schedule_s: how long to wait before each attempt, in seconds.
        clock: the time.
    """

    def __init__(
        self, mailbox: Mailbox, poster: Sends, schedule_s: Sequence[float], clock: Callable[[], float]
    ) -> None:
        self.outcomes: Counter[str] = Counter()  # of attempts: delivered, failed, dead, blocked
        self._mailbox = mailbox
        self._poster = poster
        self._schedule_s = schedule_s
        self._clock = clock
        self._sending: dict[str, Line] = {}  # by the id of what is sent
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Look whether something is due."""
        self._wake.set()

    def open(self) -> None:
        """Begin to send, what an earlier process left included."""
        self._running = asyncio.get_running_loop().create_task(self._send_on())
        self._running.add_done_callback(must_not_fail)

    async def close(self) -> None:
        """End; what is being sent has a moment left, and is sent again by the next process if that is too short."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_GRACE_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take_up(self) -> None:
        while True:
            now = self._clock()
            try:
                return await self._mailbox.take_up(now + schedule.longest_s(self._schedule_s), now)
            except StorageFull:
                await asyncio.sleep(_AGAIN_S)

    async def _send_on(self) -> None:
        await self._take_up()
        while True:
            self._wake.clear()
            next_due = await self._send_due()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if next_due == float("inf") else max(0.0, next_due - self._clock())):
                    await self._wake.wait()

    async def _send_due(self) -> float:
        """Begin to send what is due, as far as there is room; return when something more may be, at the latest."""
        try:
            post = await self._mailbox.collect(self._clock(), dict(self._sending), _PER_PLACE, _MOST)
        except StorageFull:
            return self._clock() + _AGAIN_S
        except Exception:  # webhooks must not end with one fault, unnoticed
            log.exception("webhooks cannot be collected; tried again in a moment")
            return self._clock() + _AGAIN_S
        for posting in post.ready:
            self._sending[posting.delivery.id] = posting.line
            task = asyncio.get_running_loop().create_task(self._send(posting))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return post.next_due

    async def _send(self, posting: Posting) -> None:
        delivery = posting.delivery
        try:
            attempt = await self._attempt(posting)
            delivery = schedule.after(delivery, attempt, self._schedule_s, self._clock())
            self._tell(delivery)
            await self._record(delivery, posting.delivery)
        finally:
            del self._sending[delivery.id]
            self.wake()

    async def _attempt(self, posting: Posting) -> Attempt:
        try:
            return await self._poster.attempt(posting)
        except Exception:  # whatever one receiver does, the others are to be told
            log.exception("webhook %s: the attempt failed inside the runtime", posting.delivery.id)
            return Attempt(error="the attempt failed inside the service")

    async def _record(self, delivery: Delivery, sent: Delivery) -> None:
        """Write what has become of it; until that is possible it is not sent again."""
        while True:
            try:
                return await self._mailbox.record(delivery, sent)
            except StorageFull:
                await asyncio.sleep(_AGAIN_S)

    def _tell(self, delivery: Delivery) -> None:
        outcome = "failed" if delivery.status is DeliveryStatus.PENDING else str(delivery.status)
        self.outcomes[outcome] += 1
        if delivery.status in (DeliveryStatus.DEAD, DeliveryStatus.BLOCKED):
            log.warning(
                "webhook %s of %s to %s is given up after %d attempts: %s; POST /v1/deliveries/%s/redeliver sends it",
                delivery.id,
                delivery.job,
                delivery.place,
                delivery.attempts,
                delivery.last_error,
                delivery.id,
            )
