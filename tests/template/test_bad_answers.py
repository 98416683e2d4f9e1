"""Bad answers are refused through both doors, with the same words."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml

from litgen_generator.answers.problems import problems
from litgen_generator.release.current import current
from tests.template import bad_answers
from tests.template.bad_answers import GOOD, Bad
from tests.template.rendering import once, run


def label(value: object) -> str | None:
    """A test's id that says which answers are bad."""
    return f"{value.key}={value.answers}"[:60].encode("ascii", "replace").decode() if isinstance(value, Bad) else None


@pytest.fixture(scope="session")
def template(shared_folder: Path) -> Path:
    """The template as a plain folder, out of the bundle that a project would carry."""
    folder = shared_folder / "plain-template"

    def unpack() -> None:
        run("git", "clone", "--quiet", current().bundle, folder / "clone", cwd=folder)
        run("mv", folder / "clone" / ".git", folder / "git", cwd=folder)

    once(folder, unpack)
    return folder / "clone"


@pytest.fixture
def copier_says(template: Path, tmp_path: Path) -> Callable[[dict[str, Any]], str]:
    """Plain copier, which gives back what it says to refuse the answers; empty if it takes them."""

    def copy(answers: dict[str, Any]) -> str:
        try:
            copier.run_copy(
                str(template),
                tmp_path / "project",
                data={**GOOD, **answers},
                defaults=True,
                quiet=True,
                pretend=True,
                settings=copier.Settings(),
            )
        except (ValueError, TypeError) as error:
            return str(error)
        return ""

    return copy


@pytest.mark.parametrize("bad", [*bad_answers.BAD, *bad_answers.ONLY_LITGEN], ids=label)
def test_litgen_refuses(bad: Bad) -> None:
    """One bad answer is told once, with its key, in the form of every message."""
    told = problems({**GOOD, **bad.answers})
    assert [item.at for item in told] == [bad.key]
    assert told[0].message.startswith(f"{bad.key} is ")
    assert "; expected " in told[0].message
    assert bad.says in told[0].message


@pytest.mark.parametrize("bad", bad_answers.BAD, ids=label)
def test_copier_refuses_with_the_same_words(bad: Bad, copier_says: Callable[[dict[str, Any]], str]) -> None:
    """Plain copier says what litgen says."""
    (told,) = problems({**GOOD, **bad.answers})
    assert copier_says(bad.answers).partition("': ")[2] == told.message


@pytest.mark.parametrize(("key", "value"), bad_answers.COMPUTED)
def test_copier_takes_no_answer_for_what_is_computed(
    key: str, value: Any, copier_says: Callable[[dict[str, Any]], str]
) -> None:
    """Nobody can slip a value into the template past the rules."""
    assert f"{key} is " in copier_says({key: value})


def test_both_doors_take_the_defaults(copier_says: Callable[[dict[str, Any]], str]) -> None:
    """What is refused above is refused for its own sake."""
    assert not problems(GOOD)
    assert not copier_says({})


@pytest.mark.parametrize("bad", [bad_answers.ENDPOINT[-1], bad_answers.SERVICE[0]], ids=label)
def test_the_copier_command_refuses_and_writes_nothing(bad: Bad, tmp_path: Path) -> None:
    """`copier copy` of the bundle itself exits with an error, names the key, and leaves no project."""
    (tmp_path / "answers.yml").write_text(yaml.safe_dump({**GOOD, **bad.answers}), encoding="utf-8")
    copied = subprocess.run(
        [sys.executable, "-m", "copier", "copy", "--defaults", "--data-file", "answers.yml", current().bundle, "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert copied.returncode != 0
    assert f"{bad.key} is " in copied.stderr
    assert not (tmp_path / "out").exists()
