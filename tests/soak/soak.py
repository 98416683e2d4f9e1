"""The soak itself: laps of events by many clients at once, and after each a quiet moment in which all is counted."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.services import serving
from tests.soak import lines
from tests.soak.answers import OK
from tests.soak.claims import growth, unquiet
from tests.soak.deeds import Deeds
from tests.soak.ledger import Ledger
from tests.soak.models import RUNS
from tests.soak.plan import ALL, Event, draw
from tests.soak.target import MOST_RUNS, Sample, Target, service_toml

_CLIENTS = 32  # events under way at a time
_QUIET_S = 30.0
_LEAST_OK = 0.1  # of all requests; with fewer, too little was tried to claim anything


@dataclass
class Outcome:
    """What a soak has shown."""

    seed: int
    events: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    seconds: float = 0.0
    exit_code: int | None = None
    complaints: list[str] = field(default_factory=list)


def soak(
    folder: Path,
    seed: int,
    count: int,
    laps: int = 2,
    say: Callable[[str], None] = lambda _: None,
    log: Path | None = None,
) -> Outcome:
    """Run so many events against one service, in laps.

    Args:
        folder: where service.toml and the file of runs go.
        seed: of the events.
        count: how many events.
        laps: after how many parts of them the service is left in peace and looked at.
        say: told about progress.
        log: where to keep the service's log.
    """
    began = time.monotonic()
    outcome = Outcome(seed)
    events = draw(seed, count)
    runs = folder / "runs"
    runs.touch()
    ledger = Ledger(MOST_RUNS)
    with serving(service_toml(folder), env={RUNS: str(runs)}) as service:
        target = Target(service.port, service.pid)
        parts = [events[lap * count // laps : (lap + 1) * count // laps] for lap in range(laps)]
        try:
            asyncio.run(_laps(target, ledger, parts, outcome, say))
            outcome.exit_code = service.process.stop()
        finally:
            if log is not None:
                log.write_text(service.log())
    ledger.ran(runs.read_text().split())
    outcome.complaints += ledger.complaints()
    if outcome.exit_code != 0:
        outcome.complaints.append(f"the service ended with exit code {outcome.exit_code}")
    outcome.outcomes, outcome.requests = ledger.outcomes, ledger.asked
    if outcome.outcomes[OK] < _LEAST_OK * ledger.asked:
        outcome.complaints.append(f"only {outcome.outcomes[OK]} of {ledger.asked} requests had a result")
    outcome.seconds = time.monotonic() - began
    return outcome


async def _laps(
    target: Target, ledger: Ledger, parts: Sequence[Sequence[Event]], outcome: Outcome, say: Callable[[str], None]
) -> None:
    outcome.complaints += await _quiet(target, outcome)
    for number, events in enumerate(parts, 1):
        await _lap(Deeds(target, ledger, f"{number}"), ledger, events, outcome)
        outcome.complaints += await _quiet(target, outcome)
        sample = outcome.samples[-1]
        say(f"lap {number} of {len(parts)}: {outcome.events.total()} events, {ledger.asked} requests, {sample}")
    outcome.complaints += growth(outcome.samples)


async def _lap(deeds: Deeds, ledger: Ledger, events: Sequence[Event], outcome: Outcome) -> None:
    todo = iter(events)

    async def client() -> None:
        for event in todo:
            outcome.events[event.kind] += 1
            try:
                await deeds.do(event)
            except Exception as error:  # noqa: BLE001 - what a client did not expect is a finding
                ledger.fault(f"{event}: {type(error).__name__}: {error}")

    await asyncio.gather(*(client() for _ in range(_CLIENTS)))


async def _quiet(target: Target, outcome: Outcome) -> list[str]:
    """Wait for the service to come to rest, let every worker work once, and measure."""
    deadline = time.monotonic() + _QUIET_S
    words: list[str] = ["nothing was seen"]
    while words and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        with contextlib.suppress(lines.Cut, TimeoutError, OSError, ValueError):
            words = await _look(target, outcome.samples)
    outcome.samples.append(target.sample())
    return [f"{line} ({_QUIET_S:g} s after the load)" for line in words]


async def _look(target: Target, samples: Sequence[Sample]) -> list[str]:
    health: dict[str, Any] = await lines.document(target.port, "/health")
    _, metrics = await lines.fetch(target.port, "/metrics")
    return unquiet(health, metrics.decode(), ALL, target, samples)
