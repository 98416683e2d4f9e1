"""Which workers are worn out, looked at once a beat."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping

from litgen_runtime.supervisor.memory import resident_by_session
from litgen_runtime.supervisor.place import Place, Process
from litgen_runtime.supervisor.recycling import Recycling

log = logging.getLogger(__name__)


class Inspection:
    """Looks at every worker that serves.

    Args:
        recyclings: each endpoint's choices and history.
        resident: reads the resident bytes of each session, by its leader's pid.
    """

    def __init__(
        self,
        recyclings: Mapping[str, Recycling],
        resident: Callable[[], Mapping[int, int]] = resident_by_session,
    ) -> None:
        self._recyclings = recyclings
        self._resident = resident

    def worn_out(self, places: Iterable[Place], now: float) -> Iterator[tuple[Place, Process]]:
        """Yield what is to be replaced now: at most one worker of an endpoint, and none while another one is."""
        serving = [(p, p.current) for p in places if p.current is not None and p.current.loaded]
        self._weigh(serving)
        busy = {place.spec.endpoint for place in places if place.is_recycling}
        for place, process in serving:
            recycling = self._recyclings[place.spec.endpoint]
            cause = recycling.cause(process.wear)
            if cause is not None and place.spec.endpoint not in busy and recycling.may_begin(now):
                busy.add(place.spec.endpoint)
                place.worn_by = cause
                yield place, process

    def _weigh(self, serving: Iterable[tuple[Place, Process]]) -> None:
        """Look at what workers hold, where somebody wants to know."""
        watched = [pair for pair in serving if self._recyclings[pair[0].spec.endpoint].watches_memory]
        resident = self._resident() if watched else {}
        for place, process in watched:
            wear, recycling = process.wear, self._recyclings[place.spec.endpoint]
            wear.resident = resident.get(process.pid, 0)
            if not wear.loaded_with:
                wear.loaded_with = wear.resident
                if recycling.is_hopeless(wear):
                    log.warning(
                        "%s: holds %.0f MB when it has just loaded, which is past max_memory, so it is not replaced "
                        "for that. Raise endpoints.%s.workers.max_memory.",
                        place.spec.label,
                        wear.resident / 1e6,
                        place.spec.endpoint,
                    )
