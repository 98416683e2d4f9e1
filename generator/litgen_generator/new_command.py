"""`litgen new`: from what was given to a project, and what is said on the way."""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from litgen_generator import wizard
from litgen_generator.answers import sources
from litgen_generator.answers.model import MOOT, Answers, is_moot
from litgen_generator.answers.problems import parsed
from litgen_generator.answers.questions import EXAMPLE_NAME
from litgen_generator.creation import Created, Order, check_target, create, preview
from litgen_generator.errors import DeclinedError, UsageError
from litgen_generator.tree import drawn

FLAGS = {
    "service_name": "NAME",
    "description": "--description",
    "endpoints": "--endpoint",
    "api_keys": "--api-keys or --no-api-keys",
    "webhooks": "--webhooks or --no-webhooks",
    "shutdown_api": "--shutdown-api or --no-shutdown-api",
    "drain_timeout_s": "--drain-timeout-s",
    "python_version": "--python-version",
    "deployment": "--deployment",
    "ci": "--ci",
}
"""How each question is answered on the command line."""


@dataclass(frozen=True)
class Request:
    """A call of `litgen new`: the answers that were given and how to go about the rest."""

    given: Mapping[str, Any]
    defaults: bool = False
    output: Path | None = None
    dry_run: bool = False
    force: bool = False
    yes: bool = False
    commit: bool = True


def given(name: str | None, answers_file: Path | None, flags: Mapping[str, Any]) -> dict[str, Any]:
    """The answers in the file and in the flags, of which the flags come first.

    Raises:
        UsageError: If one of them cannot be read.
    """
    answers = sources.from_file(answers_file) if answers_file else {}
    for key, text in flags.items():
        if text is not None and text != ():
            answers[key] = _from_flag(key, text)
    if name is not None:
        answers["service_name"] = name
    return answers


def _from_flag(key: str, flag: Any) -> Any:
    if key == "endpoints":
        return [sources.endpoint(text) for text in flag]
    return sources.value(Answers, key, flag) if isinstance(flag, str) else flag


def run(request: Request) -> None:
    """Make the project.

    Raises:
        LitgenError: If it cannot be made; then nothing was written.
    """
    parsed({"service_name": EXAMPLE_NAME, **request.given})
    if request.output or "service_name" in request.given:
        check_target(_target(request, request.given), force=request.force)
    missing = _missing(request)
    if missing and not _is_interactive():
        flags = ", ".join(FLAGS[key] for key in missing)
        instead = "" if request.defaults else f", or {'NAME and' if 'service_name' in missing else 'add'} --defaults"
        raise UsageError(f"there is no terminal to ask in, and these are not given: {flags}. Give them{instead}.")
    answers = parsed(wizard.ask(request.given, missing) if missing else request.given)
    order = Order(answers, _target(request, answers.model_dump()), request.commit)
    check_target(order.target, force=request.force)
    if request.dry_run:
        click.echo(drawn(order.target.name, preview(order)))
        return
    if missing and not wizard.confirm(answers, order.target, yes=request.yes):
        raise DeclinedError
    click.echo(_report(order, create(order, lambda files: request.yes or _may_overwrite(order.target, files))))


def _target(request: Request, answers: Mapping[str, Any]) -> Path:
    return Path(os.path.normpath(Path.cwd() / (request.output or answers["service_name"])))


def _missing(request: Request) -> list[str]:
    """The questions that are still to be asked."""
    return [
        key
        for key, field in Answers.model_fields.items()
        if key not in request.given
        and (field.is_required() or not request.defaults)
        and not is_moot(key, request.given)
    ]


def _is_interactive() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def _may_overwrite(target: Path, files: list[Path]) -> bool:
    listed = "\n".join(f"  {path}" for path in files)
    click.echo(f"These files in {target} would be overwritten:\n{listed}")
    if not _is_interactive():
        raise UsageError("there is no terminal to ask in, so nothing was written. Add --yes to overwrite them.")
    return click.confirm("Overwrite them?")


def _report(order: Order, created: Created) -> str:
    """What was done, and what to type next."""
    lines = [f"Made {order.answers.service_name} in {order.target}: {created.files} files."]
    if created.committed:
        lines.append("They are committed in a new git repository.")
    if created.committed and created.is_anonymous:
        lines.append(
            "Git knows no name for you, so the commit is by litgen; set one with git config --global user.name "
            "and user.email, then: git commit --amend --reset-author --no-edit"
        )
    if order.answers.webhooks and is_moot("webhooks", order.answers.plain()):
        lines.append(MOOT)
    lines += ["", "Next:"]
    if order.target != Path.cwd():
        lines.append(f"  cd {shlex.quote(os.path.relpath(order.target))}")
    if order.commit and not created.committed:
        lines.append("  git add --force vendor .litgen && git add .")
    return "\n".join([*lines, "  make run     # starts the service", "  make test    # runs its tests"])
