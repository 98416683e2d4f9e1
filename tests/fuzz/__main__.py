"""``python -m tests.fuzz``: many rounds; a round that fails is told with its seed and as few edits as it needs."""

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.fuzz import rounds
from tests.fuzz.plan import scenario
from tests.workshop import Workshop


class Result(NamedTuple):
    """How a round went, told for a person if it failed."""

    seed: int
    code: int
    refusal: str
    failure: str


def one_round(shop: Path, seed: int, *, boots_every: int = 0) -> Result:
    """Play the round of a seed, and make it smaller if it fails."""
    workshop = Workshop(shop)
    boots = bool(boots_every) and seed % boots_every == 0
    with workshop.at_work(), tempfile.TemporaryDirectory(prefix="litgen-fuzz-") as place:
        folder = Path(place) / "round"
        plan = scenario(seed, workshop, harmless=boots)
        outcome = rounds.tried(workshop, folder, plan, boots=boots)
        if not outcome.complaints:
            return Result(seed, outcome.code, outcome.said if outcome.code in (1, 2) else "", "")
        kind = outcome.complaints[0].partition(":")[0]
        small = rounds.smallest(
            plan,
            lambda less: any(
                complaint.startswith(kind) for complaint in rounds.tried(workshop, folder, less, boots=boots).complaints
            ),
        )
        again = rounds.tried(workshop, folder, small, boots=boots)
        complaints = "\n".join((again.complaints or outcome.complaints)[:6])
        return Result(seed, outcome.code, "", f"seed {seed}: {small.told()}\nexit code {again.code}\n{complaints}")


def main() -> int:
    """Play; 0 if everything held in every round."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(10**6) * 10_000, help="of the first"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument(
        "--boots-every", type=int, default=100, help="start the service in one round of so many; 0: never"
    )
    parser.add_argument("--renders", type=Path, help="a folder that keeps renders for another time")
    choices = parser.parse_args()
    _say(f"{choices.rounds} rounds from seed {choices.seed}")
    renders = choices.renders or Path(tempfile.mkdtemp(prefix="litgen-renders-"))
    counts: Counter[str] = Counter()
    failures = 0
    seeds = range(choices.seed, choices.seed + choices.rounds)
    with ProcessPoolExecutor(choices.jobs) as pool:
        play = partial(one_round, renders, boots_every=choices.boots_every)
        for number, result in enumerate(pool.map(play, seeds), 1):
            counts[f"exit code {result.code}" if not result.refusal else result.refusal[:60]] += 1
            if result.failure:
                failures += 1
                _say(f"FAILED {result.failure}\n")
            if number % 50 == 0:
                _say(f"{number} rounds, {failures} failed")
    if not choices.renders:
        shutil.rmtree(renders)
    _say("\n".join(f"{count:6} {what}" for what, count in counts.most_common()))
    return 1 if failures else 0


def _say(text: str) -> None:
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
