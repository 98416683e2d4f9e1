"""The `litgen` command: what it understands, and which exit code each error has.

Everything but click is imported where it is used: `litgen --help` answers at once.
"""

import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from litgen_generator._version import __version__
from litgen_generator.answers.texts import ENDPOINT, SERVICE
from litgen_generator.errors import LitgenError

if TYPE_CHECKING:
    from litgen_generator.change_command import Manner

INTERRUPTED = 130

_ENDPOINT_KEYS = "\b\nKeys of --endpoint:\n" + "\n".join(f"  {key:<20}{text}" for key, text in ENDPOINT.items())


def main() -> None:
    """Run the command and turn what goes wrong into a sentence and an exit code."""
    if sys.platform == "win32":
        sys.exit("litgen: Windows is not supported; expected Linux or macOS. Run it in WSL.")
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda received, _frame: sys.exit(128 + received))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may be anything
    try:
        colours = False if os.environ.get("NO_COLOR") else None
        code = command.main(prog_name="litgen", standalone_mode=False, color=colours)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except LitgenError as error:
        click.echo(f"litgen: {error}", err=True)
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("litgen: interrupted.", err=True)
        code = INTERRUPTED
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        click.echo(f"litgen: {place}{error.strerror or error}.", err=True)
        code = LitgenError.exit_code
    sys.exit(code)


@click.group(name="litgen", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="litgen")
def command() -> None:
    """Turn a model in a Python function into a production service repository."""


@command.command(epilog=_ENDPOINT_KEYS)
@click.argument("name", required=False)
@click.option("--description", metavar="TEXT", help=SERVICE["description"])
@click.option("--endpoint", "endpoints", multiple=True, metavar="KEY=VALUE,...", help="An endpoint; once for each.")
@click.option("--api-keys/--no-api-keys", default=None, help=SERVICE["api_keys"])
@click.option("--webhooks/--no-webhooks", default=None, help=SERVICE["webhooks"])
@click.option("--shutdown-api/--no-shutdown-api", default=None, help=SERVICE["shutdown_api"])
@click.option("--drain-timeout-s", metavar="SECONDS", help=SERVICE["drain_timeout_s"])
@click.option("--python-version", metavar="X.Y", help=SERVICE["python_version"])
@click.option("--deployment", metavar="KIND", help=SERVICE["deployment"])
@click.option("--ci", metavar="KIND", help=SERVICE["ci"])
@click.option(
    "--answers",
    "answers_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Answers in YAML or JSON (`litgen schema` says which); flags come first.",
)
@click.option("--defaults", is_flag=True, help="Ask nothing: what is not given has its default.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to write; ./NAME unless given."
)
@click.option("--dry-run", is_flag=True, help="Print the files that would be written, and write nothing.")
@click.option("--force", is_flag=True, help="Write into a folder that is not empty; asks before it overwrites.")
@click.option("-y", "--yes", is_flag=True, help="Answer yes to every question about writing.")
@click.option("--no-git", is_flag=True, help="Make no repository and no first commit.")
def new(
    name: str | None,
    answers_file: Path | None,
    defaults: bool,
    output: Path | None,
    dry_run: bool,
    force: bool,
    yes: bool,
    no_git: bool,
    **flags: Any,
) -> None:
    """Make a new service in the folder NAME."""
    from litgen_generator import new_command

    new_command.run(
        new_command.Request(
            given=new_command.given(name, answers_file, flags),
            defaults=defaults,
            output=output,
            dry_run=dry_run,
            force=force,
            yes=yes,
            commit=not no_git,
        )
    )


def _prepare() -> None:
    """Have copier imported by another process while this one reads and judges."""
    from litgen_generator import render

    render.start()
    click.get_current_context().call_on_close(render.stop)


def _changes(function: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that changes a project."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Tell what is done as JSON."),
        click.option("-q", "--quiet", is_flag=True, help="Tell only what goes wrong."),
        click.option("-y", "--yes", is_flag=True, help="Ask nothing before writing."),
        click.option("--diff", is_flag=True, help="Print the exact patch, for `git apply`, and write nothing."),
    ):
        function = option(function)
    return function


@command.command(epilog=_ENDPOINT_KEYS)
@click.argument("name", required=False)
@click.option("--endpoint", "endpoints", multiple=True, metavar="KEY=VALUE,...", help="An endpoint; once for each.")
@click.option(
    "--answers",
    "answers_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Endpoints in YAML or JSON, as `litgen new --answers` reads them.",
)
@click.option("--defaults", is_flag=True, help="Ask nothing: what is not given has its default.")
@_changes
def add_endpoint(
    name: str | None, endpoints: tuple[str, ...], answers_file: Path | None, defaults: bool, **manner: bool
) -> None:
    """Add an endpoint to the project of this folder: the same questions as for a new one."""
    _prepare()
    from litgen_generator import add_command

    add_command.run(name, endpoints, answers_file, defaults=defaults, manner=_manner(manner))


@command.command()
@click.argument("name")
@_changes
def remove_endpoint(name: str, **manner: bool) -> None:
    """Take an endpoint out of the project of this folder; what you have edited of it stays, as a conflict."""
    _prepare()
    from litgen_generator import change_command
    from litgen_generator.change import wishes
    from litgen_generator.change.engine import Wish

    change_command.run(
        lambda project: Wish(
            f"litgen remove-endpoint {name}", project.template, lambda answers: wishes.without_endpoint(answers, name)
        ),
        _manner(manner),
    )


@command.command(name="set", epilog=_ENDPOINT_KEYS)
@click.argument("settings", nargs=-1, required=True, metavar="[ENDPOINT.]KEY=VALUE...")
@_changes
def set_answers(settings: tuple[str, ...], **manner: bool) -> None:
    """Give other answers: KEY=VALUE for the service, ENDPOINT.KEY=VALUE for an endpoint; VALUE none takes one back."""
    _prepare()
    from litgen_generator import set_command

    set_command.run(settings, _manner(manner))


@command.command()
@click.option("--to", metavar="VERSION", help="Which version; the newest unless given (`litgen versions` lists them).")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Another answer, as `litgen set` reads it.")
@_changes
def update(to: str | None, settings: tuple[str, ...], **manner: bool) -> None:
    """Bring the project of this folder to a newer version of the template; no line of yours is lost."""
    _prepare()
    from litgen_generator import update_command

    update_command.run(to, settings, _manner(manner))


@command.command()
@click.option("--check", is_flag=True, help="Exit with 4 for conflicts, 5 for what is out of step, 6 for an update.")
@click.option("--json", "as_json", is_flag=True, help="Tell it as JSON.")
def status(check: bool, as_json: bool) -> None:
    """Tell how the project of this folder stands: its version, what you have edited, what is out of step."""
    _prepare()
    from litgen_generator import status_command

    status_command.run(check=check, as_json=as_json)


@command.command(name="continue")
@click.option("--both", is_flag=True, help="Keep both copies of a file that you and the template have each moved.")
@click.option("-q", "--quiet", is_flag=True, help="Tell only what goes wrong.")
def resume(both: bool, quiet: bool) -> None:
    """Go on after a conflict, once every file is as it is to be."""
    from litgen_generator import change_command

    change_command.resume(_manner({"quiet": quiet}), both=both)


@command.command()
@click.option("-q", "--quiet", is_flag=True, help="Tell only what goes wrong.")
def undo(quiet: bool) -> None:
    """Take back what the last command has changed, also out of a conflict."""
    from litgen_generator import change_command

    change_command.undo(_manner({"quiet": quiet}))


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Tell them as JSON.")
def versions(as_json: bool) -> None:
    """Tell which versions of the template there are, and which one the project of this folder has."""
    from litgen_generator import versions_command

    versions_command.run(as_json=as_json)


@command.group()
def template() -> None:
    """The template that the project of this folder carries."""


@template.command()
@click.option("--commit", is_flag=True, help="Commit the template's file, and only that.")
def fetch(commit: bool) -> None:
    """Put the newest version beside the project's own, for plain `copier update`; `litgen update` needs no fetch."""
    from litgen_generator import template_command

    template_command.fetch(commit=commit)


def _manner(chosen: dict[str, bool]) -> "Manner":
    from litgen_generator.change_command import Manner

    return Manner(**chosen)


@command.command()
def schema() -> None:
    """Print the JSON Schema of the answers that `litgen new --answers` reads."""
    import json

    from litgen_generator.answers.model import Answers

    described = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Answers.model_json_schema()}
    click.echo(json.dumps(described, indent=2))
