"""All that a service with jobs has more in its HTTP process; without jobs nothing of it is imported."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.errors import SettingsError
from litgen_runtime.http.body import Reader
from litgen_runtime.http.callbacks import Callbacks
from litgen_runtime.http.deliveries_api import DeliveriesApi
from litgen_runtime.http.file_watch import FileWatch
from litgen_runtime.http.gate import Gate
from litgen_runtime.http.job_door import JobDoor
from litgen_runtime.http.job_metrics import JobMetrics
from litgen_runtime.http.jobs_api import JobsApi
from litgen_runtime.http.lifecycle import Lifecycle
from litgen_runtime.jobs.desk import Desk
from litgen_runtime.settings import Settings

if TYPE_CHECKING:
    from litgen_runtime.webhooks.office import Office

log = logging.getLogger(__name__)


class JobSide:
    """The desk, the routes of jobs, and the doors of endpoints that take them.

    Args:
        settings: the service's choices.
        dispatchers: of the endpoints, by name.
        result_types: the media type of each endpoint's results.
        lifecycle: where the service stands.
        gate: who may ask after jobs; None: everybody.
        secrets: what an earlier process of this service has signed webhooks with, if there was one.
        tell: told of secrets that have been read, so that another process has them too.

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
        secrets: Sequence[str] | None,
        tell: Callable[[dict[str, Any]], None],
    ) -> None:
        self.desk = Desk(settings, dispatchers, result_types, lifecycle.count)
        is_open = any(endpoint.jobs and endpoint.auth is False for endpoint in settings.endpoints.values())
        self._office, self._watch = _webhooks(settings, self.desk, secrets, tell)
        self._watching: asyncio.Task[None] | None = None
        self._callbacks = Callbacks(self._office)
        self._endpoints = settings.endpoints
        self._open_gate = gate and gate.opened()
        self._gates: dict[str, Gate] = {}
        jobs = JobsApi(self.desk, gate, self._callbacks, self._gates, lifecycle.count, is_open=is_open)
        self.api = DeliveriesApi(self.desk, self._office, jobs)
        self.metrics = JobMetrics(self.desk, self._office.sender.outcomes if self._office else None)
        self._lifecycle = lifecycle

    def door(self, dispatcher: Dispatcher, reader: Reader, answer_type: str, gate: Gate | None) -> JobDoor:
        """Return where an endpoint's requests come in."""
        settings = self._endpoints[dispatcher.name]
        passed = gate or self._open_gate
        if gate is not None:
            self._gates[dispatcher.name] = gate
        return JobDoor(dispatcher, reader, self._lifecycle, answer_type, passed, settings, self.desk, self._callbacks)

    def open(self) -> None:
        """Take up what an earlier process left, and begin."""
        self.desk.open()
        if self._office is not None:
            self._office.sender.open()
        if self._watch is not None:
            self._watching = asyncio.get_running_loop().create_task(self._watch.run())

    async def close(self) -> None:
        """End; everything that has happened is in the store."""
        if self._watching is not None:
            self._watching.cancel()
        if self._office is not None:
            await self._office.sender.close()
        await self.desk.close()


def _webhooks(
    settings: Settings, desk: Desk, known: Sequence[str] | None, tell: Callable[[dict[str, Any]], None]
) -> tuple[Office | None, FileWatch[list[bytes]] | None]:
    """Return who sends webhooks, with what keeps its secrets up to date, and have jobs tell it.

    Where there are none, nothing of it is imported.
    """
    choices = settings.webhooks
    if not choices.secrets:
        return None, None
    from litgen_runtime.http.webhook_papers import webhook_of
    from litgen_runtime.webhooks.office import Office
    from litgen_runtime.webhooks.secrets import SigningKeys, read_secrets

    source, keys = choices.secrets, SigningKeys(())

    def take(found: Sequence[bytes]) -> None:
        if keys.replace(found):
            tell({"do": "webhook_secrets", "secrets": [base64.b64encode(key).decode() for key in found]})
            log.info("secrets of webhooks: %d, read from %s", len(found), source)

    try:
        take(read_secrets(source, os.environ))
    except SettingsError as error:
        if known is None:
            raise
        log.error("%s The secrets that were read before stay valid.", error)
        keys.replace([base64.b64decode(key) for key in known])
    office = Office(choices, keys, desk.mailbox, desk.clock, webhook_of)
    desk.ledger.announce = office.announce
    desk.listener = office.changed
    return office, FileWatch(source, lambda: read_secrets(source, {}), take, "secrets")
