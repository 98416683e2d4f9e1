"""All that a service with jobs has more in its HTTP process; without jobs nothing of it is imported."""

from __future__ import annotations

from collections.abc import Mapping

from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.http.body import Reader
from litgen_runtime.http.gate import Gate
from litgen_runtime.http.job_door import JobDoor
from litgen_runtime.http.job_metrics import JobMetrics
from litgen_runtime.http.jobs_api import JobsApi
from litgen_runtime.http.lifecycle import Lifecycle
from litgen_runtime.jobs.desk import Desk
from litgen_runtime.settings import Settings


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
        self.api = JobsApi(self.desk, gate, is_open=is_open)
        self.metrics = JobMetrics(self.desk)
        self._lifecycle = lifecycle

    def door(self, dispatcher: Dispatcher, reader: Reader, answer_type: str, gate: Gate | None) -> JobDoor:
        """Return where an endpoint's requests come in."""
        return JobDoor(dispatcher, reader, self._lifecycle, answer_type, gate, self.desk)
