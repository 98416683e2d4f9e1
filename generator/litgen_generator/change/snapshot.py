"""The files of a folder, read as git would keep them, byte for byte."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from litgen_generator import git
from litgen_generator.change.trees import FILE, LINK, PROGRAM, Entry

LARGEST = 4 << 20
"""Bytes of a file that is read although the template knows nothing of it: it may be one that was moved."""


def working_tree(root: Path, known: Iterable[str]) -> dict[str, Entry]:
    """The owner's files: those that git tracks or would, and, whatever git thinks of them, those that are known.

    Args:
        root: The project.
        known: Paths of the template's files.
    """
    listed = git.output(
        *("-c", "core.fsmonitor=false", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "."),
        cwd=root,
        env=git.owner_environment(),
    )
    known = set(known)
    paths = {os.fsdecode(path) for path in listed.split(b"\0") if path}
    return dict(_entries(root, known, LARGEST * 1024) | _entries(root, paths - known, LARGEST))


def rendered(folder: Path) -> dict[str, Entry]:
    """Every file of a folder that a render has made."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return _entries(folder, paths, LARGEST * 1024)


def entry_at(place: Path) -> Entry | None:
    """What stands at a path: a file or a link; None if there is neither, or it is reached through a link."""
    try:
        found = place.lstat()
    except OSError:
        return None
    if stat.S_ISLNK(found.st_mode):
        return Entry(LINK, os.fsencode(place.readlink()))
    if not stat.S_ISREG(found.st_mode):
        return None
    return Entry(PROGRAM if found.st_mode & stat.S_IXUSR else FILE, place.read_bytes())


def behind_link(root: Path, path: str) -> bool:
    """Whether a folder on the way to a path is a link, or is no folder at all."""
    folders = (root.joinpath(*parts) for parts in _folders(path))
    return any(folder.is_symlink() or (folder.exists() and not folder.is_dir()) for folder in folders)


def _folders(path: str) -> Iterator[list[str]]:
    parts = path.split("/")
    for count in range(1, len(parts)):
        yield parts[:count]


def _entries(root: Path, paths: Iterable[str], largest: int) -> dict[str, Entry]:
    found = {}
    for path in paths:
        place = root / path
        if behind_link(root, path) or (place.is_file() and not place.is_symlink() and place.stat().st_size > largest):
            continue
        entry = entry_at(place)
        if entry is not None:
            found[path] = entry
    return found
