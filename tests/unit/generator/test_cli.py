"""What goes wrong in a command becomes a sentence and an exit code."""

import signal
from collections.abc import Iterator

import click
import pytest

from litgen_generator import cli
from litgen_generator.answers.model import Answers
from litgen_generator.errors import BadAnswersError, DeclinedError, LitgenError, UsageError
from litgen_generator.new_command import FLAGS


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Give back the signal handlers that the command sets."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (LitgenError("it is broken; mend it."), 1, "litgen: it is broken; mend it.\n"),
        (UsageError("no."), 2, "litgen: no.\n"),
        (BadAnswersError(["one.", "two."]), 2, "litgen: one.\ntwo.\n"),
        (DeclinedError(), 1, "litgen: stopped; nothing was written.\n"),
        (click.UsageError("No such option"), 2, "Error: No such option\n"),
        (KeyboardInterrupt(), 130, "litgen: interrupted.\n"),
        (click.Abort(), 130, "litgen: interrupted.\n"),
        (OSError(28, "No space left on device", "/a/b"), 1, "litgen: /a/b: No space left on device.\n"),
        (OSError(28, "No space left on device"), 1, "litgen: No space left on device.\n"),
    ],
)
def test_every_error_has_a_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, says: str
) -> None:
    """No error that is expected ends in a traceback."""

    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli.command, "main", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    assert capsys.readouterr().err == says


def test_termination_ends_with_its_own_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM and SIGHUP unwind the process as an exit does, so that everything is cleaned up."""
    monkeypatch.setattr(cli.command, "main", lambda **_: 0)
    with pytest.raises(SystemExit):
        cli.main()
    with pytest.raises(SystemExit) as ended:
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 143


def test_every_question_has_its_flag() -> None:
    """Without a terminal, each question that is not answered can be named."""
    assert FLAGS.keys() == Answers.model_fields.keys()
