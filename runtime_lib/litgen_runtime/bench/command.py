"""The command's own part: what it prints where, and what it ends with."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from litgen_runtime.bench.report import document, text
from litgen_runtime.bench.request import Asked, UsageError
from litgen_runtime.bench.run import BenchError, Options, Say, run
from litgen_runtime.errors import SettingsError
from litgen_runtime.settings.load import load

_INTERRUPTED = 130


def main(
    config: str,
    *,
    path: str,
    url: str | None,
    connections: int,
    duration: float,
    warm_up: float,
    data: str | None,
    content_type: str | None,
    headers: Sequence[str],
    as_json: bool,
) -> int:
    """Load a service, print the report, and return the exit code: 0, 1 if a request failed, 130 if interrupted.

    Raises:
        click.UsageError: the command line asks for what cannot be (exit code 2).
    """
    options = Options(Asked(path, data, content_type, headers), connections, duration, warm_up, url, config)
    terminal = Terminal(sys.stderr.isatty())
    try:
        settings = None if url else load(Path(config))
        outcome = run(options, settings, Say(terminal.line, terminal.over if terminal.is_there else None))
    except UsageError as error:
        raise click.UsageError(str(error)) from None
    except SettingsError as error:
        terminal.line(str(error))
        return 3
    except BenchError as error:
        terminal.line(str(error))
        return error.exit_code
    terminal.clear()
    click.echo(json.dumps(document(outcome), indent=2) if as_json else text(outcome), nl=as_json)
    return _INTERRUPTED if outcome.interrupted else int(outcome.failed)


class Terminal:
    """Standard error, where progress goes.

    Args:
        is_there: whether it is a terminal, where a line can be written over.
    """

    def __init__(self, is_there: bool) -> None:
        self.is_there = is_there
        self._dirty = False

    def line(self, words: str) -> None:
        """Write a line that stays."""
        self.clear()
        click.echo(words, err=True)

    def over(self, words: str) -> None:
        """Write a line over the last one, as wide as the terminal is at most."""
        self.clear()
        click.echo(words[: shutil.get_terminal_size().columns - 1], nl=False, err=True)
        self._dirty = True

    def clear(self) -> None:
        """Take a passing line away."""
        if self._dirty:
            click.echo("\r\x1b[2K", nl=False, err=True)
            self._dirty = False
