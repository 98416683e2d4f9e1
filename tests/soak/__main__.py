"""``python -m tests.soak``: the full soak, with a summary in docs/soak.md."""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.soak.report import summary
from tests.soak.soak import soak


def main() -> int:
    """Soak; 0 if every claim held."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--laps", type=int, default=10, help="quiet moments in which everything is counted")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--write", type=Path, help="a file for the summary")
    parser.add_argument("--log", type=Path, help="a file for the service's log")
    choices = parser.parse_args()
    _say(f"seed {choices.seed}: {choices.events} events")
    with tempfile.TemporaryDirectory() as folder:
        outcome = soak(Path(folder), choices.seed, choices.events, choices.laps, _say, choices.log)
    text = summary(outcome)
    _say(text)
    if choices.write:
        choices.write.write_text(text, encoding="utf-8")
    return 1 if outcome.complaints else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


sys.exit(main())
