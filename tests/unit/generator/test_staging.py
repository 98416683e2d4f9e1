"""A project is put in its place whole, or not at all."""

import os
import signal
from pathlib import Path

import pytest

from litgen_generator.errors import LitgenError
from litgen_generator.staging import clashes, place, staging


def write(folder: Path, **contents: str) -> None:
    """Write files, of which a double underscore stands for a slash."""
    for name, content in contents.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def read(folder: Path) -> dict[str, str]:
    """Every file below a folder, and every empty folder as None."""
    return {
        path.relative_to(folder).as_posix(): path.read_text() if path.is_file() else "a folder"
        for path in folder.rglob("*")
        if path.is_file() or not any(path.iterdir())
    }


def put(parent: Path, target: Path, **contents: str) -> list[Path]:
    """Stage a project and put it in its place; what it would overwrite."""
    with staging(parent) as stage:
        write(stage.project, **contents)
        found = clashes(stage, target)
        place(stage, target)
    return found


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where the project is to go."""
    return tmp_path / "target"


def test_a_project_moves_to_a_new_place(tmp_path: Path, target: Path) -> None:
    """Where nothing was, the project is, and the staging folder is gone."""
    assert put(tmp_path, target, a="1", b__c="2") == []
    assert read(tmp_path) == {"target/a": "1", "target/b/c": "2"}


def test_a_project_moves_into_a_folder(target: Path) -> None:
    """Files of the same name are replaced, all others stay."""
    write(target, a="old", mine="mine", b__mine="mine")
    assert put(target, target, a="new", b__c="2") == [Path("a")]
    assert read(target) == {"a": "new", "mine": "mine", "b/mine": "mine", "b/c": "2"}


def test_what_is_the_same_is_no_clash(target: Path) -> None:
    """Nobody is asked about a file that would not change."""
    write(target, a="1")
    assert put(target, target, a="1") == []


def test_a_failure_while_moving_takes_everything_back(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target is as it was, down to the folders that were made on the way."""
    write(target, a="old", b__c="old")
    before = read(tmp_path)
    rename = Path.rename

    def fail_at_last(path: Path, to: Path) -> Path:
        if path.name == "z" and "project" in path.parts:
            raise OSError(28, "No space left on device")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", fail_at_last)
    with pytest.raises(OSError, match="No space left"):
        put(tmp_path, target, a="new", b__c="new", d__e__f="new", z="new")
    assert read(tmp_path) == before


@pytest.mark.parametrize("there", ["folder", "file", "link"])
def test_a_thing_of_another_kind_is_in_the_way(tmp_path: Path, target: Path, there: str) -> None:
    """A folder is not replaced by a file, nor a file or a link by a folder."""
    target.mkdir()
    if there == "folder":
        (target / "a" / "b").mkdir(parents=True)
    elif there == "file":
        (target / "a").touch()
    else:
        (target / "a").symlink_to(tmp_path)
    with pytest.raises(LitgenError, match="Move it away"):
        put(tmp_path, target, **{"a" if there == "folder" else "a__b": "new"})


def test_a_linked_file_is_replaced_and_not_written_through(tmp_path: Path, target: Path) -> None:
    """What a link leads to is not the project's."""
    write(tmp_path, elsewhere="mine")
    target.mkdir()
    (target / "a").symlink_to(tmp_path / "elsewhere")
    assert put(tmp_path, target, a="new") == [Path("a")]
    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert not (target / "a").is_symlink()


def work_until_interrupted(parent: Path) -> None:
    """Render something, and be interrupted by Ctrl-C."""
    with staging(parent) as stage:
        write(stage.scratch, a="1")
        os.kill(os.getpid(), signal.SIGINT)
        write(stage.project, a="1")


def test_an_interrupt_is_heard_while_working(tmp_path: Path) -> None:
    """Ctrl-C stops the work at once, and nothing is left."""
    with pytest.raises(KeyboardInterrupt):
        work_until_interrupted(tmp_path)
    assert read(tmp_path) == {}


def test_an_interrupt_while_moving_comes_too_late(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Ctrl-C between two files does not leave half of them: the project is there."""
    target.mkdir()
    rename = Path.rename

    def interrupted(path: Path, to: Path) -> Path:
        os.kill(os.getpid(), signal.SIGINT)
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", interrupted)
    put(tmp_path, target, a="1", b="2")
    assert read(tmp_path) == {"target/a": "1", "target/b": "2"}


def test_the_handlers_of_signals_are_given_back(tmp_path: Path, target: Path) -> None:
    """Once the project is placed, Ctrl-C does what it did before."""
    before = signal.getsignal(signal.SIGINT)
    put(tmp_path, target, a="1")
    assert signal.getsignal(signal.SIGINT) is before
