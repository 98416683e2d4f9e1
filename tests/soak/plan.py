"""Which events happen, in which order: drawn from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

SINGLES = ("once", "again")
BATCHES = ("batch", "batch_once")
STREAMS = ("stream",)
WHOLE = SINGLES + BATCHES
ALL = WHOLE + STREAMS

# kind: (how often, the endpoints that it may meet)
KINDS: dict[str, tuple[float, tuple[str, ...]]] = {
    "ask": (24.0, WHOLE),
    "crowd": (5.0, WHOLE),
    "pipeline": (3.0, WHOLE),
    "stream": (9.0, STREAMS),
    "malformed": (7.0, WHOLE),
    "probe": (3.0, WHOLE),
    "raise": (4.0, ALL),
    "refuse": (2.0, WHOLE),
    "deadline": (6.0, ALL),
    "leave": (9.0, ALL),
    "leave-mid-body": (3.0, ALL),
    "leave-mid-stream": (4.0, STREAMS),
    "drip": (4.0, ALL),
    "stall": (2.0, ALL),
    "deaf": (1.0, SINGLES),
    "slow-reader": (2.0, STREAMS),
    "flood": (1.5, ALL),
    "poison": (2.0, ALL),
    "hang-python": (0.7, ALL),
    "hang-native": (0.7, ALL),
    "hang-gil": (0.7, ALL),
    "kill-worker": (2.5, ALL),
    "freeze-worker": (0.7, ALL),
    "kill-http": (0.2, ALL),
}


@dataclass(frozen=True)
class Event:
    """One thing that happens; ``seed`` decides its details."""

    number: int
    kind: str
    endpoint: str
    seed: int


def draw(seed: int, count: int) -> list[Event]:
    """Return so many events. Each kind is there at least once, if there is room.

    The HTTP process is killed in the first half only: the one that serves the second half has to show that it does
    not grow.
    """
    dice = random.Random(seed)
    names = list(KINDS)
    drawn = names + dice.choices(names, [often for often, _ in KINDS.values()], k=max(count - len(names), 0))
    dice.shuffle(drawn)
    kinds = drawn[:count]
    late = [index for index in range(count // 2, len(kinds)) if kinds[index] == "kill-http"]
    for index in late:
        other = dice.randrange(count // 2) if count > 1 else 0
        kinds[index], kinds[other] = ("kill-worker" if kinds[other] == "kill-http" else kinds[other]), "kill-http"
    return [Event(number, kind, dice.choice(KINDS[kind][1]), dice.getrandbits(32)) for number, kind in enumerate(kinds)]
