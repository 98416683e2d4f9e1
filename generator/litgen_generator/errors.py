"""What can go wrong, and the exit code that each error has.

LitgenError               1   a sentence that says what was expected and what to do
├─ UsageError             2   the command line is of no use as it is
│  └─ BadAnswersError     2   answers that a rule refuses, one line each
└─ DeclinedError          1   the person at the terminal said no
"""


class LitgenError(Exception):
    """An error whose text is written for the person at the terminal."""

    exit_code = 1


class UsageError(LitgenError):
    """The command was given something it cannot use."""

    exit_code = 2


class BadAnswersError(UsageError):
    """Answers that the rules refuse; `problems` holds a line for each."""

    def __init__(self, problems: list[str]) -> None:
        """Take the lines, at least one."""
        super().__init__("\n".join(problems))
        self.problems = problems


class DeclinedError(LitgenError):
    """A question whether to go on was answered with no."""

    def __init__(self) -> None:
        """Say that all is as it was."""
        super().__init__("stopped; nothing was written.")
