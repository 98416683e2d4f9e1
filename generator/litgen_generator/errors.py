"""What can go wrong, and the exit code that each error has.

LitgenError               1   a sentence that says what was expected and what to do
├─ UsageError             2   the command line is of no use as it is
│  └─ BadAnswersError     2   answers that a rule refuses, one line each
├─ NotToml                1   service.toml cannot be read
├─ DeclinedError          1   the person at the terminal said no
└─ ConflictError          4   written or not, the owner has to decide something first
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


class NotToml(LitgenError):
    """The owner's service.toml is not TOML; `line` is where, counted from 1."""

    def __init__(self, line: int, message: str) -> None:
        """Take the line and what is wrong with it."""
        super().__init__(
            f"service.toml is not TOML at line {line}: {message}; expected lines such as: timeout_s = 30.0. "
            "Correct that line, then run this again; nothing was changed."
        )
        self.line = line


class DeclinedError(LitgenError):
    """A question whether to go on was answered with no."""

    def __init__(self) -> None:
        """Say that all is as it was."""
        super().__init__("stopped; nothing was written.")


class ConflictError(LitgenError):
    """Something that only the owner can decide."""

    exit_code = 4
