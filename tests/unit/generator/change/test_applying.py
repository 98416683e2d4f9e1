"""The journal, from wherever it was left: nothing that an owner wrote is lost, and nothing outside is touched."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from litgen_generator.change import files
from litgen_generator.change.applying import Deed, State
from litgen_generator.change.engine import changed
from litgen_generator.change.snapshot import entry_at
from litgen_generator.change.trees import FILE, LINK, Change, Entry, Trees
from litgen_generator.errors import LitgenError

Wanted = Mapping[str, str | None]
"""What files are to hold; None for no file."""


class Project:
    """A folder with files, and what litgen knows of it."""

    def __init__(self, place: Path, files: Mapping[str, str]) -> None:
        self.root, self.folder = place / "project", place / "state"
        self.state = State(self.folder, self.root)
        self.scratch = place / "trees"
        for path, text in files.items():
            self.writes(path, text)

    def writes(self, path: str, text: str) -> None:
        """Write a file."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def files(self) -> dict[str, str]:
        """What stands there."""
        return {
            path.relative_to(self.root).as_posix(): path.read_text()
            for path in self.root.rglob("*")
            if path.is_file() or path.is_symlink()
        }

    def apply(self, wanted: Wanted) -> None:
        """Write."""
        before = {path: entry for path in wanted if (entry := entry_at(self.root / path)) is not None}
        after = {path: Entry(FILE, text.encode()) for path, text in wanted.items() if text is not None}
        trees = Trees(self.scratch)
        with self.state.held():
            self.state.apply(changed(trees, before, after), trees, Deed("test", "template v1"))

    def recovers(self) -> None:
        """What the next command does first."""
        with self.state.held():
            pass

    def stops_at(self, monkeypatch: pytest.MonkeyPatch, count: int, wanted: Wanted) -> None:
        """The machine stops after so many files have been written."""
        true, written = files.put, 0

        def put(file: Path, target: Path) -> None:
            nonlocal written
            if written == count:
                os._exit(9)
            written += 1
            true(file, target)

        with monkeypatch.context() as patch:
            patch.setattr(files, "put", put)
            with pytest.raises(LitgenError, match="it was killed"):
                self.apply(wanted)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with three files."""
    return Project(tmp_path, {"a": "a\n", "b": "b\n", "folder/c": "c\n"})


WANTED = {"a": "A\n", "b": None, "folder/c": "C\n", "new/d": "D\n"}
AFTERWARDS = {"a": "A\n", "folder/c": "C\n", "new/d": "D\n"}


def test_a_stop_after_the_last_file(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is written and only the journal has not got its name yet: the next command deletes nothing."""
    true = shutil.rmtree

    def rmtree(place: Path, ignore_errors: bool = False) -> None:
        true(place, ignore_errors=ignore_errors)
        if Path(place).name in ("old", "last"):
            os._exit(9)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", rmtree)
        with pytest.raises(LitgenError, match="it was killed"):
            project.apply(WANTED)
    assert project.files() == AFTERWARDS
    project.recovers()
    assert project.files() == AFTERWARDS
    assert project.state.last == Deed("test", "template v1")


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_stop_and_an_edit(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], count: int
) -> None:
    """What was edited before the rest is written is kept beside, and is to be decided; nothing is overwritten."""
    project.stops_at(monkeypatch, count, WANTED)
    is_written = project.files()["folder/c"] == "C\n"
    project.writes("folder/c", "mine\n")
    project.writes("b", "mine too\n")
    project.recovers()
    mine = {"folder/c": "mine\n"} if is_written else {"folder/c.yours": "mine\n"}
    assert project.files() == {**AFTERWARDS, "b": "mine too\n", **mine}
    assert ("folder/c.yours" in capfd.readouterr().err) is not is_written
    deed = project.state.last
    assert deed is not None
    assert deed.conflicts == (() if is_written else ("folder/c",))


def test_a_stop_an_edit_and_a_failure(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all has to go back, too, what was edited since is kept beside."""
    project.stops_at(monkeypatch, 1, WANTED)
    assert project.files()["a"] == "A\n"
    project.writes("a", "mine\n")
    project.writes("new", "in the way of a folder\n")
    with pytest.raises(LitgenError, match="leads out of the project"):
        project.recovers()
    assert project.files() == {
        "a": "a\n",
        "a.yours": "mine\n",
        "b": "b\n",
        "folder/c": "c\n",
        "new": "in the way of a folder\n",
    }
    project.recovers()


def test_a_file_that_is_saved_while_files_are_written(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor saves a file after litgen has looked for the last time: all is put back, and the edit stays."""
    true = files.keep

    def keep(file: Path, place: Path) -> None:
        if file.name == "c" and file.parent.name == "folder":
            file.with_name("editor").write_text("mine\n")
            file.with_name("editor").rename(file)
        true(file, place)

    monkeypatch.setattr(files, "keep", keep)
    with pytest.raises(LitgenError, match="another program has changed it"):
        project.apply(WANTED)
    assert project.files() == {"a": "a\n", "b": "b\n", "folder/c": "mine\n"}


def test_files_where_folders_were(project: Project) -> None:
    """And folders where files were."""
    project.apply({"a": None, "a/x": "X\n", "folder/c": None, "folder": "F\n"})
    assert project.files() == {"a/x": "X\n", "b": "b\n", "folder": "F\n"}
    project.writes("folder2/own", "mine\n")
    project.writes("folder2/c", "c\n")
    with pytest.raises(LitgenError, match="in the way"):
        project.apply({"folder2/c": None, "folder2": "F\n"})
    assert project.files()["folder2/own"] == "mine\n"


@pytest.mark.parametrize("count", [0, 1])
def test_a_stop_between_files_and_folders(project: Project, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """The rest is written from there."""
    project.stops_at(monkeypatch, count, {"a": None, "a/x": "X\n", "folder/c": None, "folder": "F\n"})
    project.recovers()
    assert project.files() == {"a/x": "X\n", "b": "b\n", "folder": "F\n"}


def test_what_is_no_file_is_in_the_way(project: Project) -> None:
    """A pipe is not replaced."""
    os.mkfifo(project.root / "new")
    with pytest.raises(LitgenError, match="in the way"):
        project.apply({"new": "N\n"})
    assert (project.root / "new").is_fifo()


@pytest.mark.parametrize("path", ["../outside", ".git/hooks/pre-commit", "a/.GIT/config", "/outside"])
def test_a_path_that_leads_out(project: Project, path: str) -> None:
    """Neither a template nor a journal that somebody else has made writes there."""
    changes = [Change(path, None, Entry(FILE, b"theirs"))]
    with project.state.held(), pytest.raises(LitgenError, match="is no path of a project"):
        project.state.apply(changes, Trees(project.scratch), None)
    journal = project.folder / "journal"
    (journal / "files").mkdir(parents=True)
    (journal / "files" / "0").write_text("theirs")
    (journal / "plan.json").write_text(json.dumps([[path, 0]]))
    with pytest.raises(LitgenError, match="leads out of the project"):
        project.recovers()
    assert project.files() == {"a": "a\n", "b": "b\n", "folder/c": "c\n"}
    assert not (project.root.parent / "outside").exists()


def test_a_link_that_leads_out(project: Project, tmp_path: Path) -> None:
    """A folder that has become a link since is not written through, whoever made the link."""
    (tmp_path / "elsewhere").mkdir()
    journal = project.folder / "journal"
    (journal / "files").mkdir(parents=True)
    (journal / "old").mkdir()
    (journal / "files" / "0").symlink_to(tmp_path / "elsewhere")
    (journal / "files" / "1").write_text("theirs")
    (journal / "plan.json").write_text(json.dumps([["link", 0], ["link/file", 1]]))
    with pytest.raises(LitgenError, match="leads out of the project"):
        project.recovers()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert project.files() == {"a": "a\n", "b": "b\n", "folder/c": "c\n"}


def test_a_journal_of_an_older_litgen(project: Project) -> None:
    """Its steps say less, and are done."""
    journal = project.folder / "journal"
    (journal / "files").mkdir(parents=True)
    (journal / "old").mkdir()
    (journal / "files" / "0").write_text("A\n")
    (journal / "plan.json").write_text(json.dumps([["a", 0], ["b", None]]))
    project.recovers()
    assert project.files() == {"a": "A\n", "folder/c": "c\n"}


def test_links_are_links(project: Project) -> None:
    """Put there and taken back like any other file."""
    trees = Trees(project.scratch)
    with project.state.held():
        changes = changed(trees, {}, {"link": Entry(LINK, b"a")})
        project.state.apply(changes, trees, Deed("test", "template v1"))
    assert (project.root / "link").readlink() == Path("a")
    assert project.state.before_and_after()[1]["link"].mode == LINK
    assert "link" not in project.state.before_and_after()[0]
