"""Who is to be told of a job: only whoever may be called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litgen_runtime.errors import WebhookUrlRejected
from litgen_runtime.http.preferences import Preferences
from litgen_runtime.jobs.delivery import Callback

if TYPE_CHECKING:
    from litgen_runtime.webhooks.office import Office


class Callbacks:
    """What is taken for a callback.

    Args:
        office: who sends webhooks; None where there are none.
    """

    def __init__(self, office: Office | None) -> None:
        self._office = office

    async def wished(self, wishes: Preferences, base: str, principal: str) -> Callback | None:
        """Return the callback that a client asks for; None if it asks for none.

        Args:
            wishes: what the client asks for.
            base: what links in webhooks begin with.
            principal: who it is.

        Raises:
            InvalidHeader: the URL is none.
            WebhookUrlRejected: it may not be called.
            WebhookUrlNotChecked: that cannot be known now.
        """
        if wishes.webhook_url is None:
            return None
        return await self._allowed(wishes.webhook_url, wishes.webhook_events, base, principal)

    async def again(self, callback: Callback, principal: str) -> Callback:
        """Return a callback of an earlier job, which may be called no longer.

        Raises:
            WebhookUrlRejected: it may not.
            WebhookUrlNotChecked: that cannot be known now.
        """
        return await self._allowed(callback.url, callback.events, callback.base, principal)

    async def _allowed(self, url: str, events: frozenset[str], base: str, principal: str) -> Callback:
        if self._office is None:
            raise WebhookUrlRejected("Webhooks are off in this service. Its operator turns them on: webhooks.secrets.")
        return await self._office.callback(url, events, base, principal)
