"""Changes written into the working tree: all of them or none, whatever happens meanwhile.

All that is needed is put in order beside git's own files first; one rename then decides that it is going to be done.
A process of its own does it, which neither Ctrl-C nor the end of the command reaches; should the machine stop in
between, the next command of litgen does the rest. Where a file cannot be written, those before it are put back.

    state/lock          held by the command that works on the project
    state/next-…        what a command is preparing; nothing counts in it
    state/journal/      decided: plan.json, files/N as they are to be, deed.json, trees/ before and after
        old/N           what a file was, until all are written
        back.json       the plan, once all is to be as it was again
    state/last/         the journal once all of it is done; `litgen undo` takes it back
"""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from litgen_generator.change.snapshot import behind_link, entry_at
from litgen_generator.change.trees import LINK, PROGRAM, Change, Entry, Tree, Trees
from litgen_generator.errors import LitgenError
from litgen_generator.interrupts import deferred

BEFORE, AFTER = "before", "after"
"""The two trees that are kept of a deed."""


@dataclass(frozen=True)
class Deed:
    """What was done last.

    Args:
        command: As it was typed.
        label: What the template's side is called in its conflicts.
        conflicts: The paths in which the owner has still to decide.
        copies: The places of each file that both sides have moved.
    """

    command: str
    label: str
    conflicts: tuple[str, ...] = ()
    copies: tuple[tuple[str, ...], ...] = ()


class _Step(NamedTuple):
    """What is to become of a path: the number of the file that goes there, or None for nothing."""

    path: str
    file: int | None


class State:
    """What litgen knows of a project beside its files.

    Args:
        folder: Where that is kept.
        root: The project.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        """Look at nothing yet."""
        self._folder, self._root = folder, root
        self._journal, self._last = folder / "journal", folder / "last"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other commands out; what an earlier one had decided is done first.

        Raises:
            LitgenError: If another command is at work.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LitgenError(
                    f"another litgen is at work in {self._root}; expected to be alone. Wait until it has ended."
                ) from None
            for abandoned in self._folder.glob("next-*"):
                shutil.rmtree(abandoned, ignore_errors=True)
            if self._journal.exists():
                self._finish_apart()
            yield

    @property
    def last(self) -> Deed | None:
        """What was done last, if it is still known."""
        try:
            known = json.loads((self._last / "deed.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        copies = tuple(tuple(paths) for paths in known.get("copies", ()))
        return Deed(known["command"], known["label"], tuple(known["conflicts"]), copies)

    def before_and_after(self) -> tuple[dict[str, Entry], dict[str, Entry]]:
        """The trees before and after what was done last."""
        trees = Trees(self._last / "trees")
        return trees.tree(BEFORE), trees.tree(AFTER)

    def forget(self) -> None:
        """Know no longer what was done last: somebody has taken it back already."""
        gone = self._folder / "next-forgotten"
        self._last.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def settle(self, before: Tree, after: Tree) -> None:
        """Note that the conflicts of what was done last are resolved.

        Args:
            before: The tree before it.
            after: The tree after it, as the owner has decided.
        """
        deed = self.last
        if deed is not None:
            Trees(self._last / "trees").keep({AFTER: BEFORE}, **{BEFORE: before, AFTER: after})
            _write_json(self._last / "deed.json", asdict(Deed(deed.command, deed.label)))

    def apply(self, changes: Sequence[Change], trees: Trees, deed: Deed | None) -> None:
        """Write the changes into the working tree.

        Args:
            changes: What becomes of which file.
            trees: Where the trees before and after stand; kept with the deed.
            deed: What is remembered; None if nothing can be taken back afterwards.

        Raises:
            LitgenError: If a file is no longer what it was when the changes were planned. Then nothing is written.
        """
        prepared = Path(tempfile.mkdtemp(prefix="next-", dir=self._folder))
        try:
            _write_plan(prepared, changes, self._root)
            if deed is not None:
                shutil.copytree(trees.folder, prepared / "trees")
                _write_json(prepared / "deed.json", asdict(deed))
            self._check(changes)
        except BaseException:
            shutil.rmtree(prepared, ignore_errors=True)
            raise
        with deferred():
            _sync(prepared / "plan.json", *(prepared / "files").iterdir())
            prepared.rename(self._journal)
            self._finish_apart()

    def _finish_apart(self) -> None:
        """Do what has been decided in a process of its own, which nothing that stops this one reaches.

        Raises:
            LitgenError: If it could not be done.
        """
        said = _in_a_process_of_its_own(self._finish)
        if said and self._journal.exists():
            raise LitgenError(
                f"not all files could be written, nor put back: {said}; expected to be allowed to, and room on the "
                "disk. Put that right and run: litgen status, which does the rest."
            )
        if said:
            raise LitgenError(
                f"a file could not be written: {said}; expected to be allowed to, and room on the disk. "
                "Nothing was changed. Put that right, and run the command again."
            )

    def _check(self, changes: Sequence[Change]) -> None:
        for path, before, _, _ in changes:
            place = self._root / path
            folder = next(folder for folder in place.parents if folder.is_dir())
            if not os.access(folder, os.W_OK | os.X_OK):
                raise LitgenError(f"{folder} cannot be written to; expected to. Nothing was changed: allow it.")
            if behind_link(self._root, path) or entry_at(place) != before or (before is None and place.is_dir()):
                raise LitgenError(
                    f"{place} is not what it was a moment ago, or in the way; expected nobody else to write here. "
                    "Nothing was changed: save or move it, and run the command again."
                )

    def _finish(self) -> None:
        """Do what has been decided, from wherever that was left; all is put back if it cannot be done.

        Raises:
            OSError: If it could not be done.
        """
        plan, back = self._journal / "plan.json", self._journal / "back.json"
        steps = [_Step(*step) for step in json.loads((plan if plan.exists() else back).read_text(encoding="utf-8"))]
        steps.sort(key=lambda step: step.file is not None)  # a folder may have to go where a file is to be
        if back.exists():
            self._backward(steps)
            return
        try:
            self._forward(steps)
        except OSError:
            plan.rename(back)
            self._backward(steps)
            raise

    def _forward(self, steps: Sequence[_Step]) -> None:
        for number, step in enumerate(steps):
            target = self._root / step.path
            _keep(target, self._journal / "old" / str(number))
            if step.file is None:
                _remove(self._root, target)
            else:
                _put(self._journal / "files" / str(step.file), target)
        shutil.rmtree(self._journal / "old", ignore_errors=True)
        shutil.rmtree(self._last, ignore_errors=True)
        self._journal.rename(self._last)

    def _backward(self, steps: Sequence[_Step]) -> None:
        for number, step in reversed(list(enumerate(steps))):
            target, old = self._root / step.path, self._journal / "old" / str(number)
            if os.path.lexists(old) and entry_at(old) == entry_at(target):
                continue
            if os.path.lexists(old):
                again = self._journal / "again"
                again.unlink(missing_ok=True)
                _keep(old, again)
                _put(again, target)
            elif step.file is not None and not os.path.lexists(self._journal / "files" / str(step.file)):
                _remove(self._root, target)
        self._journal.rename(self._folder / "next-undone")


def _write_plan(folder: Path, changes: Sequence[Change], root: Path) -> None:
    (folder / "files").mkdir()
    (folder / "old").mkdir()
    steps = []
    for number, (path, _, after, _) in enumerate(changes):
        steps.append(_Step(path, None if after is None else number))
        if after is not None:
            _write(folder / "files" / str(number), after, root / path)
    _write_json(folder / "plan.json", steps)


def _write(place: Path, entry: Entry, target: Path) -> None:
    """Write a file, with the permissions that it has where it is to go."""
    if entry.mode == LINK:
        place.symlink_to(os.fsdecode(entry.content))
        return
    place.write_bytes(entry.content)
    mode = target.stat().st_mode & 0o777 if target.is_file() and not target.is_symlink() else place.stat().st_mode
    runs = (mode & 0o444) >> 2 if entry.mode == PROGRAM else 0
    place.chmod((mode & ~0o111 | runs) & 0o777)


def _keep(file: Path, place: Path) -> None:
    """Have a file at a second place, too, unless it is there already."""
    if os.path.lexists(place) or not os.path.lexists(file):
        return
    try:
        os.link(file, place, follow_symlinks=False)
    except OSError:  # another file system, or one without links
        beside = place.with_name("copy")
        beside.unlink(missing_ok=True)
        shutil.copy2(file, beside, follow_symlinks=False)
        beside.rename(place)


def _put(file: Path, target: Path) -> None:
    if not os.path.lexists(file):
        return  # it is there already
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        file.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = target.with_name(f".litgen-{target.name}")
        try:
            shutil.copy2(file, beside, follow_symlinks=False)
            beside.replace(target)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
        file.unlink()


def _remove(root: Path, place: Path) -> None:
    place.unlink(missing_ok=True)
    for folder in place.parents:
        if folder == root:
            break
        with contextlib.suppress(OSError):
            folder.rmdir()


def _write_json(place: Path, data: Any) -> None:
    beside = place.with_name(f"{place.name}.new")
    beside.write_text(json.dumps(data), encoding="utf-8")
    beside.replace(place)


def _sync(*files: Path) -> None:
    for file in files:
        if not file.is_symlink():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())


def _in_a_process_of_its_own(work: Callable[[], None]) -> str:
    """Run something that is not to end with this process, and wait for it; what went wrong, or nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = b"it was killed"
        try:
            os.setsid()
            work()
            said = b""
        except OSError as error:
            place = error.filename2 or error.filename
            said = os.fsencode(f"{place}: {error.strerror}" if place else str(error))
        finally:
            with contextlib.suppress(OSError):
                os.write(writing, said + b"\n")
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123 - a descriptor
        said = pipe.read()
    os.waitpid(child, 0)
    return os.fsdecode(said).strip() if said else "it was killed"
