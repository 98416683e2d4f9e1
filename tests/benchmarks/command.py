"""The command: makes the environments, measures, prints the page and writes it."""

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from tests.benchmarks import environments, generating, load, machine, report, serving
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.errors import BenchmarkError
from tests.benchmarks.serving import Plan
from tests.benchmarks.works import ROOT

_PAGE = ROOT / "docs" / "benchmarks.md"
_COMMANDS = 7


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--turns", type=click.IntRange(1), default=Plan.turns, help="How often everything is measured.")
@click.option(
    "--idle-s", type=click.FloatRange(0.1), default=Plan.idle_s, help="Seconds that an idle server is watched."
)
@click.option("--load-s", type=click.IntRange(1), default=Plan.load_s, help="Seconds of each load.")
@click.option("--output", type=click.Path(path_type=Path), default=_PAGE, help="Where the page is written.")
def main(turns: int, idle_s: float, load_s: int, output: Path) -> None:
    """Measure litgen beside its peers: about six minutes, best on a machine that does nothing else."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    began = time.monotonic()

    def say(text: str) -> None:
        click.echo(f"{time.monotonic() - began:5.0f} s  {text}", err=True)

    try:
        page = _measured(Plan(turns, idle_s, load_s), say)
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from error
    output.write_text(page, encoding="utf-8")
    click.echo(page)
    say(f"written to {output}")


def _measured(plan: Plan, say: Callable[[str], None]) -> str:
    load.require()
    where = machine.described()
    versions = []
    made = {}
    for contender in CONTENDERS:
        say(f"environment of {contender.title}")
        made[contender] = environments.make(contender.name, contender.requirements)
        versions.append((contender.title, made[contender].versions(contender.packages)))
    say("environment of the generator")
    generator = environments.make("generator", generating.REQUIREMENTS)
    versions.append(("generator", generator.versions(generating.PACKAGES)))
    say("litgen --help, litgen new, copier copy")
    commands = generating.measure(generator, _COMMANDS)
    results = serving.measure(made, plan, say)
    return report.written(where, versions, commands, results, plan)
