"""``python -m tests.soak``: the full soak, with a summary in docs/soak.md."""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.soak.chaos import chaos
from tests.soak.report import jobs_section, summary
from tests.soak.soak import soak


def main() -> int:
    """Soak; 0 if every claim held."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000, help="random events; 0: none")
    parser.add_argument("--laps", type=int, default=10, help="quiet moments in which everything is counted")
    parser.add_argument("--jobs", type=int, default=10_000, help="jobs while everything is killed; 0: none")
    parser.add_argument("--kills", type=int, default=32, help="how often something is killed, or restarted, meanwhile")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--write", type=Path, help="a file for the summary")
    parser.add_argument("--log", type=Path, help="a file for the service's log")
    choices = parser.parse_args()
    pages, complaints = [], 0
    if choices.events:
        _say(f"seed {choices.seed}: {choices.events} events")
        with tempfile.TemporaryDirectory() as folder:
            outcome = soak(Path(folder), choices.seed, choices.events, choices.laps, _say, choices.log)
        pages.append(summary(outcome))
        complaints += len(outcome.complaints)
    if choices.jobs:
        _say(f"seed {choices.seed}: {choices.jobs} jobs, {choices.kills} kills")
        log = choices.log and choices.log.with_suffix(".jobs")
        with tempfile.TemporaryDirectory() as folder:
            of_jobs = chaos(Path(folder), choices.seed, choices.jobs, choices.kills, _say, log)
        pages.append(jobs_section(of_jobs))
        complaints += len(of_jobs.complaints)
    text = "\n".join(pages)
    _say(text)
    if choices.write:
        choices.write.write_text(text, encoding="utf-8")
    return 1 if complaints else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


sys.exit(main())
