"""The files of a folder, read as git would keep them, byte for byte."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Set
from pathlib import Path

from litgen_generator import git
from litgen_generator.change.trees import FILE, LINK, PROGRAM, Entry

LARGEST, MOST = 1 << 20, 64 << 20
"""Bytes of one file, and of all together, that are read although the template knows nothing of them."""


def working_tree(root: Path, base: Iterable[str], new: Iterable[str] = ()) -> dict[str, Entry]:
    """The owner's files that the template knows of; if some are missing, also those that they may have become.

    Args:
        root: The project.
        base: Paths that the template gave.
        new: Paths that it gives now. What stands there counts whatever git thinks of it.
    """
    base = set(base)
    known = _entries(root, base.union(new))
    if base <= known.keys():
        return known
    listed = git.output(
        *("-c", "core.fsmonitor=false", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "."),
        cwd=root,
        env=git.owner_environment(),
    )
    others = {os.fsdecode(path) for path in listed.split(b"\0") if path} - known.keys()
    return known | _entries(root, _small(root, others))


def _small(root: Path, paths: Iterable[str]) -> Iterator[str]:
    """The paths of files that are worth a look, the smallest first."""
    total = 0
    for size, path in sorted((_size(root / path), path) for path in paths):
        total += size
        if size > LARGEST or total > MOST:
            break
        yield path


def _size(place: Path) -> int:
    try:
        return place.lstat().st_size
    except OSError:
        return 0


def rendered(folder: Path) -> dict[str, Entry]:
    """Every file of a folder that a render has made."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return _entries(folder, paths)


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


def seal(entry: Entry | None) -> str:
    """What tells one entry from another; empty for none."""
    return hashlib.sha256(b"%s %s" % (entry.mode.encode(), entry.content)).hexdigest() if entry else ""


def behind_link(root: Path, path: str, gone: Set[str] = frozenset()) -> bool:
    """Whether a folder on the way to a path is a link, or is no folder at all; what is `gone` does not count."""
    folders = (root.joinpath(*parts) for parts in _folders(path) if "/".join(parts) not in gone)
    return any(folder.is_symlink() or (folder.exists() and not folder.is_dir()) for folder in folders)


def _folders(path: str) -> Iterator[list[str]]:
    parts = path.split("/")
    for count in range(1, len(parts)):
        yield parts[:count]


def _entries(root: Path, paths: Iterable[str]) -> dict[str, Entry]:
    found = ((path, entry_at(root / path)) for path in paths if not behind_link(root, path))
    return {path: entry for path, entry in found if entry is not None}
