"""Webhooks of one service, put together: what is accepted, what is written beside a job, what is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from litgen_runtime.errors import WebhookUrlNotChecked
from litgen_runtime.jobs.delivery import Callback, Delivery, DeliveryStatus
from litgen_runtime.jobs.mailbox import Mailbox
from litgen_runtime.jobs.record import Job, Status, new_id
from litgen_runtime.jobs.store import Payload, Rows
from litgen_runtime.settings.model import WebhookSettings
from litgen_runtime.webhooks import schedule
from litgen_runtime.webhooks.guard import Guard, rejected
from litgen_runtime.webhooks.lookups import Crowded, Lookup, Lookups, system_lookup
from litgen_runtime.webhooks.poster import Poster
from litgen_runtime.webhooks.secrets import SigningKeys
from litgen_runtime.webhooks.sender import Sender

Describe = Callable[[str, float, Job, Payload | None, str], bytes]

_LOOKUP_S, _AGAIN_S = 5.0, "5"
_MAX_LOOKUPS_FOR_CLIENTS, _MAX_LOOKUPS_TO_SEND = 64, 256  # two numbers: clients cannot use up what deliveries need


class Office:
    """One service's.

    Args:
        choices: the table ``[webhooks]``.
        keys: what webhooks are signed with.
        mailbox: where they are kept.
        clock: the time.
        describe: returns a webhook's body: its type, the time, the job, its result, and what links begin with.
        lookup: how names become addresses.
    """

    def __init__(
        self,
        choices: WebhookSettings,
        keys: SigningKeys,
        mailbox: Mailbox,
        clock: Callable[[], float],
        describe: Describe,
        lookup: Lookup = system_lookup,
    ) -> None:
        self._guard = Guard(choices.allow_hosts, choices.allow_http, choices.allow_private, choices.ports)
        self._schedule_s = choices.schedule_s
        self._mailbox = mailbox
        self._clock = clock
        self._announced: set[str] = set()  # jobs that have a new webhook, which is there once they are told of
        self._describe = describe
        self._lookups = Lookups(lookup, _MAX_LOOKUPS_FOR_CLIENTS)
        poster = Poster(self._guard, keys, choices.timeout_s, Lookups(lookup, _MAX_LOOKUPS_TO_SEND))
        self.sender = Sender(mailbox, poster, self._schedule_s, clock)

    async def callback(self, url: str, events: frozenset[str], base: str, principal: str) -> Callback:
        """Return a callback that may be called, as far as that can be known now.

        Args:
            url: where.
            events: of what it tells.
            base: what links begin with.
            principal: who asks for it.

        Raises:
            InvalidHeader: the URL is none.
            WebhookUrlRejected: it may not be called.
            WebhookUrlNotChecked: that cannot be known now.
        """
        target = self._guard.target(url)
        if target.literal is None:
            try:
                async with asyncio.timeout(_LOOKUP_S):
                    found = await self._lookups.addresses(target.host, principal)
            except Crowded:
                raise WebhookUrlNotChecked(
                    "The host of the Webhook-Url could not be looked up, as too many others are. Try again shortly.",
                    {"Retry-After": _AGAIN_S},
                ) from None
            except OSError:  # TimeoutError is one
                raise rejected() from None
            if not found or not all(map(self._guard.allows, found)):
                raise rejected()
        return Callback(target.url, target.place, events, base)

    def announce(self, rows: Rows, job: Job, now: float, result: Payload | None) -> None:
        """Write the webhook of a job that moves, if anybody wants one, in the transaction in which it does."""
        event = "completed" if job.is_terminal else "started" if _begins(job) else None
        callback = rows.callback(job.id) if event is not None else None
        if callback is None or event not in callback.events:
            return
        kind = f"job.{job.status if job.is_terminal else 'started'}"
        due = schedule.first_due(self._schedule_s, now)
        delivery = Delivery(new_id("msg"), job.id, kind, callback.url, callback.place, DeliveryStatus.PENDING, now, due)
        self._announced.add(job.id)
        rows.add_delivery(delivery, self._describe(kind, now, job, result, callback.base))

    def changed(self, job: Job | None) -> None:
        """Send what has been written with a job that has moved; None: with any of them."""
        if job is None:
            self._announced.clear()
        elif job.id not in self._announced:
            return
        else:
            self._announced.discard(job.id)
        self.sender.wake()

    async def redeliver(self, delivery_id: str, principal: str) -> Delivery:
        """Have a delivery sent again, now; one that is being sent at the moment is not sent twice for that.

        Raises:
            NotFound: there is no such delivery of this principal.
        """
        delivery = await self._mailbox.change(
            delivery_id, principal, lambda delivery: schedule.again(delivery, self._clock())
        )
        self.sender.wake()
        return delivery


def _begins(job: Job) -> bool:
    return job.status is Status.RUNNING and job.fence == 1
