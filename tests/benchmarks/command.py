"""The command: makes the environments, measures, prints the page and writes it."""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from tests.benchmarks import changing, environments, generating, load, machine, plot, report, serving
from tests.benchmarks.contenders import ALONE, CONTENDERS, LITGEN, Contender
from tests.benchmarks.environments import Environment
from tests.benchmarks.errors import BenchmarkError
from tests.benchmarks.serving import Plan
from tests.benchmarks.works import ROOT, WORKS

_PAGE = ROOT / "docs" / "benchmarks.md"
_COMMANDS = 7
_Named = TypeVar("_Named", bound=Any)


def _some(all_of_them: Sequence[_Named], text: str) -> tuple[_Named, ...]:
    """Return those that are named, in their usual order."""
    known = {one.name: one for one in all_of_them}
    wanted = [name.strip() for name in text.split(",")]
    for name in wanted:
        if name not in known:
            raise click.BadParameter(f"there is no {name!r}; expected some of {', '.join(known)}")
    return tuple(one for one in all_of_them if one.name in wanted)


def _names(all_of_them: Sequence[Any]) -> str:
    return ",".join(one.name for one in all_of_them)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--works", default=_names(WORKS), help="What is asked for.")
@click.option("--contenders", default=_names(CONTENDERS), help="Who is asked.")
@click.option("--turns", type=click.IntRange(1), default=Plan.turns, help="How often everything is measured.")
@click.option(
    "--idle-s", type=click.FloatRange(0.1), default=Plan.idle_s, help="Seconds that an idle server is watched."
)
@click.option("--load-s", type=click.IntRange(1), default=Plan.load_s, help="Seconds of each load.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    show_default=f"{_PAGE.relative_to(ROOT)} if all works and contenders are measured, else nowhere",
    help="Where the page is written, with its plot beside it.",
)
def main(works: str, contenders: str, turns: int, idle_s: float, load_s: int, output: Path | None) -> None:
    """Measure litgen beside its peers: about 25 minutes, best on a machine that does nothing else."""
    os.environ.pop("PYTHONPATH", None)  # what is measured is what is installed
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    began = time.monotonic()

    def say(text: str) -> None:
        click.echo(f"{time.monotonic() - began:5.0f} s  {text}", err=True)

    plan = Plan(turns, idle_s, load_s, _some(WORKS, works), _some(CONTENDERS, contenders))
    if ALONE in plan.contenders and LITGEN not in plan.contenders:
        raise click.ClickException(f"{ALONE.name} is measured beside {LITGEN.name} only; ask for both")
    output = output or (_PAGE if plan.complete else None)
    try:
        _measure(plan, output, say)
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from error
    say(f"written to {output}" if output else "a part of a run is not written; --output FILE writes it")


def _measure(plan: Plan, output: Path | None, say: Callable[[str], None]) -> None:
    load.require()
    drawing = environments.make("plot", plot.REQUIREMENTS) if output else None
    where = machine.described()
    made, versions = _environments(plan, say)
    commands = changes = None
    if plan.complete:
        say("environment of the generator")
        generator = environments.make("generator", generating.REQUIREMENTS)
        versions.append(("generator", generator.versions(generating.PACKAGES)))
        say("litgen --help, litgen new, copier copy")
        commands = generating.measure(generator, _COMMANDS)
        say("litgen add-endpoint, litgen update, copier update")
        changes = changing.measure(generator, _COMMANDS)
    results = serving.measure(made, plan, say)
    picture = output.with_suffix(".svg").resolve() if output else None
    page = report.written(where, versions, commands, changes, results, plan, picture.name if picture else None)
    click.echo(page)
    if output and picture and drawing:
        output.write_text(page, encoding="utf-8")
        plot.write(results, plan, drawing, picture)


def _environments(plan: Plan, say: Callable[[str], None]) -> tuple[dict[Contender, Environment], list[tuple[str, str]]]:
    """Make what the contenders need; a model alone runs in litgen's."""
    made: dict[Contender, Environment] = {}
    versions = []
    for contender in plan.contenders:
        if contender is ALONE and LITGEN in made:
            made[ALONE] = made[LITGEN]
            continue
        say(f"environment of {contender.title}")
        needs = contender.needs(plan.works)
        made[contender] = environments.make(contender.name, needs)
        packages = [*contender.packages, *(["torch"] if len(needs) > len(contender.requirements) else [])]
        versions.append((contender.title, made[contender].versions(packages)))
    return made, versions
