"""One worker that there should be, and the processes that fill its place.

::

             start               ready                    worn out
    empty ──────────▶ loading ──────────▶ serving ──────────────────────▶ serving, successor loading
      ▲                  │                 ▲ │ ▲                           │    │         │ ready
      │ backoff          │ ended           │ │ └── successor ended: later ─┘    │         ▼
      └──────────────────┴─────────────────│─┘ ended                            │    serving (the successor),
                                           │                                    │    the old one retiring:
                         loading ◀─────────│──── ended: the successor goes on ──┘    no new requests, then it ends
                                           └────────────── the old one has ended ─────────┘

A place that retires its old process serves already: whatever happens to the old one is no loss of capacity.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from litgen_runtime.supervisor.recycling import Wear
from litgen_runtime.supervisor.restarts import Restarts
from litgen_runtime.worker.spec import WorkerSpec


@dataclass(eq=False)
class Process:
    """One process of a worker. ``number`` is its name between the processes: a pid may come again."""

    number: int
    place: Place = field(repr=False)
    wear: Wear
    pid: int = 0
    loaded: bool = False
    killed_for: str | None = None
    error: str | None = None  # why ``setup`` failed


@dataclass(eq=False)
class Place:
    """One worker of the plan."""

    spec: WorkerSpec
    restarts: Restarts
    current: Process | None = None  # loading or serving
    successor: Process | None = None  # loading, to replace the current one
    retiring: Process | None = None  # replaced, and not yet gone
    worn_by: str = ""  # the key that asked for the present replacement

    @property
    def is_recycling(self) -> bool:
        """Whether there are two processes for this place."""
        return self.successor is not None or self.retiring is not None
