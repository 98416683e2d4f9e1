"""A folder where a project is made ready, so that it appears whole or not at all."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from litgen_generator.errors import LitgenError
from litgen_generator.interrupts import deferred


@dataclass(frozen=True)
class Staging:
    """The folders of one run, which are removed at its end."""

    root: Path

    @property
    def project(self) -> Path:
        """Where the project is made; it is moved to its target from here."""
        return self.root / "project"

    @property
    def scratch(self) -> Path:
        """Where copier's temporary files go."""
        return self.root / "scratch"

    @property
    def replaced(self) -> Path:
        """Where files that are being overwritten wait until all is done."""
        return self.root / "replaced"

    def files(self) -> list[Path]:
        """The project's files, relative and sorted, without those of git."""
        found = (path.relative_to(self.project) for path in self.project.rglob("*") if not path.is_dir())
        return sorted(path for path in found if path.parts[0] != ".git")


@contextmanager
def staging(parent: Path | None) -> Iterator[Staging]:
    """Make the folders and remove them whatever happens, also when a signal stops the block.

    Args:
        parent: Where they are made; None is the system's place for temporary files.
    """
    with deferred() as deferral:
        stage = Staging(Path(tempfile.mkdtemp(prefix=".litgen-new-", dir=parent)))
        try:
            for folder in (stage.project, stage.scratch, stage.replaced):
                folder.mkdir()
            with deferral.paused():
                yield stage
        finally:
            _remove(stage.root)


def clashes(stage: Staging, target: Path) -> list[Path]:
    """Files of the target that the project would overwrite with something else.

    Raises:
        LitgenError: If a folder stands where a file is to go, or a file or a link where a folder is to go.
    """
    found = []
    for path in stage.files():
        _check_room(path, target)
        there = target / path
        if there.is_symlink() or (there.exists() and there.read_bytes() != (stage.project / path).read_bytes()):
            found.append(path)
    return found


def place(stage: Staging, target: Path) -> None:
    """Move the project to its target; on any failure the target is left as it was.

    A signal that comes meanwhile comes too late to stop anything.
    """
    with deferred():
        if not target.exists():
            stage.project.rename(target)
            return
        undo: list[Callable[[], object]] = []
        try:
            for path in stage.files():
                _make_folders(target, path.parent, undo)
                _put(stage, path, target, undo)
            if (stage.project / ".git").exists():
                (stage.project / ".git").rename(target / ".git")
        except BaseException:
            for step in reversed(undo):
                step()
            raise


def _check_room(path: Path, target: Path) -> None:
    if (target / path).is_dir() and not (target / path).is_symlink():
        raise LitgenError(f"{target / path} is a folder; expected a file or nothing there. Move it away.")
    for folder in list(path.parents)[:-1]:
        there = target / folder
        if there.is_symlink() or (there.exists() and not there.is_dir()):
            raise LitgenError(f"{there} is a file or a link; expected a folder or nothing there. Move it away.")


def _make_folders(target: Path, folder: Path, undo: list[Callable[[], object]]) -> None:
    for path in [*reversed(folder.parents), folder]:
        if not (target / path).is_dir():
            (target / path).mkdir()
            undo.append((target / path).rmdir)


def _put(stage: Staging, path: Path, target: Path, undo: list[Callable[[], object]]) -> None:
    there, kept = target / path, stage.replaced / path
    if there.exists() or there.is_symlink():
        kept.parent.mkdir(parents=True, exist_ok=True)
        there.rename(kept)
        undo.append(lambda: kept.rename(there))
    (stage.project / path).rename(there)
    undo.append(there.unlink)


def _remove(folder: Path, patience_s: float = 5.0) -> None:
    """Remove a folder in which a git process, killed a moment ago, may still be writing."""
    deadline = time.monotonic() + patience_s
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
