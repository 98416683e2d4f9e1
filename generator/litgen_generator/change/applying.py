"""Changes written into the working tree: all of them or none, whatever happens meanwhile.

All that is needed is put in order beside git's own files first; one rename then decides that it is going to be done.
A process of its own does it, which neither Ctrl-C nor the end of the command reaches; should the machine stop in
between, the next command of litgen does the rest. Where a file cannot be written, those before it are put back.
What somebody has written into a file meanwhile is never overwritten: nothing is written then, or, once it is too late
for that, it is kept beside, as NAME.yours.

    state/lock          held by the command that works on the project
    state/next-…        what a command is preparing; nothing counts in it
    state/journal/      decided: plan.json, files/N as they are to be, deed.json, trees/ before and after
        old/N           what a file was, until all are written
        back.json       the plan, once all is to be as it was again
    state/last/         the journal once all of it is done; `litgen undo` takes it back
"""

import errno
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from litgen_generator.change import files
from litgen_generator.change.apart import in_a_process_of_its_own
from litgen_generator.change.snapshot import behind_link, entry_at, seal
from litgen_generator.change.trees import Change, Entry, Tree, Trees
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
    """What is to become of a path.

    Args:
        path: Where, relative to the project.
        file: The number of the file that goes there, or None for nothing.
        before: The seal of what stands there before; None if it is not known, as in a journal of an older litgen.
        after: The seal of what is to stand there.
    """

    path: str
    file: int | None
    before: str | None = None
    after: str | None = None


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
                self._finish_apart(again=True)
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
            files.write_json(self._last / "deed.json", asdict(Deed(deed.command, deed.label)))

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
                files.write_json(prepared / "deed.json", asdict(deed))
            self._check(changes)
        except BaseException:
            shutil.rmtree(prepared, ignore_errors=True)
            raise
        with deferred():
            files.sync(*(prepared / "files").iterdir(), prepared / "files", prepared / "plan.json", prepared)
            prepared.rename(self._journal)
            files.sync(self._folder)
            self._finish_apart(again=False)

    def _finish_apart(self, *, again: bool) -> None:
        """Do what has been decided in a process of its own, which nothing that stops this one reaches.

        Args:
            again: Whether an earlier command had begun with it, so that the owner may have written since.

        Raises:
            LitgenError: If it could not be done.
        """
        said = in_a_process_of_its_own(lambda: self._finish(again=again))
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
        gone = {path for path, _, after, _ in changes if after is None}
        for path, before, _, _ in changes:
            place = self._root / path
            if _is_foreign(path):
                raise LitgenError(
                    f"{path} is no path of a project; expected none that leads out of it or into a .git folder. "
                    f"Nothing was changed: the template in {self._root} is not one of litgen's."
                )
            folder = next(folder for folder in place.parents if folder.is_dir())
            if not os.access(folder, os.W_OK | os.X_OK):
                raise LitgenError(f"{folder} cannot be written to; expected to. Nothing was changed: allow it.")
            is_free = before is not None or _is_free(self._root, path, gone)
            if behind_link(self._root, path, gone) or seal(entry_at(place)) != seal(before) or not is_free:
                raise LitgenError(
                    f"{place} is not what it was a moment ago, or in the way; expected nobody else to write here. "
                    "Nothing was changed: save or move it, and run the command again."
                )

    def _finish(self, *, again: bool) -> None:
        """Do what has been decided, from wherever that was left; all is put back if it cannot be done.

        Raises:
            OSError: If it could not be done.
        """
        plan, back = self._journal / "plan.json", self._journal / "back.json"
        steps = [_Step(*step) for step in json.loads((plan if plan.exists() else back).read_text(encoding="utf-8"))]
        steps.sort(key=lambda step: step.file is not None)  # a folder may have to go where a file is to be
        for path, *_ in steps:
            if _is_foreign(path):
                raise _outside(self._root / path)
        if back.exists():
            self._backward(steps)
            return
        try:
            self._forward(steps, again=again)
        except OSError:
            plan.rename(back)
            self._backward(steps)
            raise

    def _forward(self, steps: Sequence[_Step], *, again: bool) -> None:
        edited = []
        for number, step in enumerate(steps):
            target = self._root / step.path
            if self._is_put(step):
                continue
            is_blocked = behind_link(self._root, step.path)
            if step.file is None and (is_blocked or (target.is_dir() and not target.is_symlink())):
                continue  # something else stands there already
            if is_blocked:
                raise _outside(target)
            files.keep(target, self._journal / "old" / str(number))
            now = entry_at(target)
            if now is not None and step.before not in (None, seal(now)):
                if not again:
                    raise OSError(errno.EBUSY, "another program has changed it a moment ago", str(target))
                if step.file is None:
                    continue  # the owner has written it since
                files.put_aside(target)
                edited.append(step.path)
            if step.file is None:
                files.remove(self._root, target)
            else:
                files.put(self._journal / "files" / str(step.file), target)
        self._note(edited)
        files.sync(*{folder for step in steps if (folder := (self._root / step.path).parent).is_dir()})
        shutil.rmtree(self._last, ignore_errors=True)
        self._journal.rename(self._last)
        shutil.rmtree(self._last / "old", ignore_errors=True)  # not before: without it nothing could be put back

    def _backward(self, steps: Sequence[_Step]) -> None:
        for number, step in reversed(list(enumerate(steps))):
            target, old = self._root / step.path, self._journal / "old" / str(number)
            is_blocked, now = behind_link(self._root, step.path), entry_at(target)
            is_edited = now is not None and step.after not in (None, seal(now))
            if not os.path.lexists(old):
                if self._is_put(step) and not is_edited and not is_blocked:
                    files.remove(self._root, target)
                continue
            if is_blocked:
                raise _outside(target)
            if entry_at(old) == now or (now is not None and step.file is not None and not self._is_put(step)):
                continue
            if is_edited:
                files.put_aside(target)
            again = self._journal / "again"
            again.unlink(missing_ok=True)
            files.keep(old, again)
            files.put(again, target)
        self._journal.rename(self._folder / "next-undone")

    def _is_put(self, step: _Step) -> bool:
        """Whether the file that goes somewhere is there already."""
        if step.file is None:
            return False
        file = self._journal / "files" / str(step.file)
        if not os.path.lexists(file):
            return True
        is_told_apart = step.before != step.after  # a mode is not
        return is_told_apart and seal(entry_at(self._root / step.path)) == step.after

    def _note(self, edited: Sequence[str]) -> None:
        """Have the owner decide about files of which there are now two."""
        deed = self._journal / "deed.json"
        if edited and deed.exists():
            known = json.loads(deed.read_text(encoding="utf-8"))
            files.write_json(deed, {**known, "conflicts": [*known["conflicts"], *edited]})


def _is_foreign(path: str) -> bool:
    """Whether a path leads out of the project, or to git's own files."""
    return any(part.lower() in ("", ".", "..", ".git") for part in path.split("/"))


def _outside(place: Path) -> OSError:
    return OSError(errno.EPERM, "it leads out of the project", str(place))


def _is_free(root: Path, path: str, gone: Set[str]) -> bool:
    """Whether nothing stands at a path, or a folder of which nothing is left."""
    place = root / path
    if not os.path.lexists(place):
        return True
    if place.is_symlink() or not place.is_dir():
        return False
    return all(each.is_dir() or each.relative_to(root).as_posix() in gone for each in place.rglob("*"))


def _write_plan(folder: Path, changes: Sequence[Change], root: Path) -> None:
    (folder / "files").mkdir()
    (folder / "old").mkdir()
    steps = []
    for number, (path, before, after, _) in enumerate(changes):
        file = folder / "files" / str(number)
        if after is not None:
            files.write(file, after, root / path)
        steps.append(_Step(path, None if after is None else number, seal(before), seal(entry_at(file))))
    files.write_json(folder / "plan.json", steps)
