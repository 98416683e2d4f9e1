"""The files of a folder, read as git would keep them, byte for byte."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Set
from pathlib import Path

from litgen_generator import git
from litgen_generator.change.trees import FILE, LINK, PROGRAM, Entry, Tree

LARGEST, MOST = 1 << 20, 64 << 20
"""Bytes of one file, and of all together, that are read although the template knows nothing of them."""


def working_tree(root: Path, base: Tree, new: Tree) -> dict[str, Entry]:
    """The owner's files that the template knows of; if some are missing, also those that they may have become.

    Args:
        root: The project.
        base: What the template gave.
        new: What it gives now. What stands at its paths counts whatever git thinks of it.
    """
    known = _with_modes(root, _entries(root, base.keys() | new.keys()), {**new, **base})
    if base.keys() <= known.keys():
        return known
    listed = git.output(
        *("-c", "core.fsmonitor=false", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "."),
        cwd=root,
        env=git.owner_environment(),
    )
    others = {os.fsdecode(path) for path in listed.split(b"\0") if path} - known.keys()
    return known | _entries(root, _small(root, others))


def _with_modes(root: Path, found: dict[str, Entry], template: Tree) -> dict[str, Entry]:
    """The files with the template's modes, where git is told that the file system's mean nothing."""
    odd = {path for path, entry in found.items() if {entry.mode, template[path].mode} == {FILE, PROGRAM}}
    asking = "config", "--type=bool", "--get", "core.fileMode"
    if not odd or git.run(*asking, cwd=root, env=git.owner_environment(), ok=(0, 1)) != "false":
        return found
    return {path: entry._replace(mode=template[path].mode) if path in odd else entry for path, entry in found.items()}


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
    """What tells one entry from another, apart from whether it can be run; empty for none."""
    kind = b"link" if entry and entry.mode == LINK else b"file"
    return hashlib.sha256(b"%s %s" % (kind, entry.content)).hexdigest() if entry else ""


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
