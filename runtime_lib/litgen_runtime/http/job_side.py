"""All that a service with jobs has more in its HTTP process; without jobs nothing of it is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.http.body import Reader
from litgen_runtime.http.deliveries_api import DeliveriesApi
from litgen_runtime.http.gate import Gate
from litgen_runtime.http.job_door import JobDoor
from litgen_runtime.http.job_metrics import JobMetrics
from litgen_runtime.http.jobs_api import JobsApi
from litgen_runtime.http.lifecycle import Lifecycle
from litgen_runtime.jobs.desk import Desk
from litgen_runtime.settings import Settings

if TYPE_CHECKING:
    from litgen_runtime.webhooks.office import Office


class JobSide:
    """The desk, the routes of jobs, and the doors of endpoints that take them.

    Args:
        settings: the service's choices.
        dispatchers: of the endpoints, by name.
        result_types: the media type of each endpoint's results.
        lifecycle: where the service stands.
        gate: who may ask after jobs; None: everybody.

    Raises:
        StartupError: the store cannot be opened.
    """

    def __init__(
        self,
        settings: Settings,
        dispatchers: Mapping[str, Dispatcher],
        result_types: Mapping[str, str],
        lifecycle: Lifecycle,
        gate: Gate | None,
    ) -> None:
        self.desk = Desk(settings, dispatchers, result_types, lifecycle.count)
        is_open = any(endpoint.jobs and endpoint.auth is False for endpoint in settings.endpoints.values())
        self._office = _office(settings, self.desk)
        jobs = JobsApi(self.desk, gate, is_open=is_open)
        self.api = DeliveriesApi(self.desk, self._office, jobs)
        self.metrics = JobMetrics(self.desk, self._office.sender.outcomes if self._office else None)
        self._lifecycle = lifecycle

    def door(self, dispatcher: Dispatcher, reader: Reader, answer_type: str, gate: Gate | None) -> JobDoor:
        """Return where an endpoint's requests come in."""
        return JobDoor(dispatcher, reader, self._lifecycle, answer_type, gate, self.desk, self._office)

    def open(self) -> None:
        """Take up what an earlier process left, and begin."""
        self.desk.open()
        if self._office is not None:
            self._office.sender.open()

    async def close(self) -> None:
        """End; everything that has happened is in the store."""
        if self._office is not None:
            await self._office.sender.close()
        await self.desk.close()


def _office(settings: Settings, desk: Desk) -> Office | None:
    """Return who sends webhooks, and have jobs tell it; None where there are none, and nothing of it is imported."""
    choices = settings.webhooks
    if not choices.secrets:
        return None
    from litgen_runtime.http.webhook_papers import webhook_of
    from litgen_runtime.webhooks.office import Office
    from litgen_runtime.webhooks.secrets import read_secrets

    office = Office(choices, read_secrets(choices.secrets, os.environ), desk.mailbox, desk.clock, webhook_of)
    desk.ledger.announce = office.announce
    desk.listener = office.changed
    return office
