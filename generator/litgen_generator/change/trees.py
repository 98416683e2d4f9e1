"""Trees of files in a scratch repository, where git merges and compares them without touching anybody's own."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from litgen_generator import git

FILE, PROGRAM, LINK = "100644", "100755", "120000"

_YOURS, _TEMPLATE = "yours", "litgen-template"
_MARKERS = (b"<<<<<<< ", b">>>>>>> ")


class Entry(NamedTuple):
    """A file as git keeps it: its mode, and its content or, of a link, where it points."""

    mode: str
    content: bytes


Tree: TypeAlias = Mapping[str, Entry]
"""Files by their paths, relative and with slashes; what is not UTF-8 in them is as `os.fsdecode` gives it."""


class Change(NamedTuple):
    """What became of a file between two trees; None where there is none. `source`: the path it had before."""

    path: str
    before: Entry | None
    after: Entry | None
    source: str | None = None


class Clash(NamedTuple):
    """Why git could not merge by itself, in its own words, and at which paths."""

    paths: tuple[str, ...]
    kind: str


@dataclass(frozen=True)
class Merged:
    """What a merge gave; conflicts stand in its files, between markers."""

    tree: dict[str, Entry]
    clashes: list[Clash]


class Trees:
    """A bare repository of its own.

    Args:
        folder: Where it is, or is to be made.
    """

    def __init__(self, folder: Path) -> None:
        """Make it, unless it is there."""
        self.folder = folder
        self._env = git.neutral_environment()
        if not folder.exists():
            folder.mkdir(parents=True)
            settings = "-c", "core.hooksPath=/dev/null"
            self._git(*settings, "init", "--quiet", "--bare", "--template=", "--object-format=sha1", ".")

    def keep(self, parents: Mapping[str, str | None], **trees: Tree) -> None:
        """Keep each tree under its name, as a commit on top of the one that `parents` names."""
        lines: list[bytes] = []
        for name, tree in trees.items():
            lines.append(b"commit refs/heads/%s\ncommitter litgen <litgen@localhost> 0 +0000\ndata 0\n" % name.encode())
            if parent := parents.get(name):
                lines.append(b"from refs/heads/%s\ndeleteall\n" % parent.encode())
            for path, entry in tree.items():
                lines.append(b"M %s inline %s\n" % (entry.mode.encode(), _quoted(path)))
                lines.append(b"data %d\n%s\n" % (len(entry.content), entry.content))
        self._git("fast-import", "--quiet", "--force", stdin=b"".join(lines))

    def merged(self, base: Tree, yours: Tree, theirs: Tree, label: str) -> Merged:
        """Merge three ways, with renames followed.

        Args:
            base: What both come from.
            yours: The owner's.
            theirs: The template's.
            label: What theirs is called in conflicts.
        """
        parents = {"base": None, _YOURS: "base", _TEMPLATE: "base"}
        self.keep(parents, **{"base": base, _YOURS: yours, _TEMPLATE: theirs})
        # A new file is put where its side has it, whatever became of the folder: its owner knows no other place.
        plain = "-c", "merge.directoryRenames=false"
        said = self._git(*plain, "merge-tree", "--write-tree", "-z", "--name-only", _YOURS, _TEMPLATE, ok=(0, 1))
        tree, _, rest = said.partition(b"\0")
        clashes = list(_clashes(rest, label)) if rest else []
        files = self.tree(tree.decode())
        if not clashes:
            return Merged(files, [])
        named = {path.replace(f"~{_TEMPLATE}", f"~{_in_path(label)}"): entry for path, entry in files.items()}
        return Merged({path: _labelled(entry, label) for path, entry in named.items()}, clashes)

    def tree(self, name: str) -> dict[str, Entry]:
        """The files of what is kept under a name."""
        listed = self._git("ls-tree", "-r", "-z", name).split(b"\0")
        found = [(entry.partition(b"\t")) for entry in listed if entry]
        ids = [head.split()[2] for head, _, _ in found]
        contents = dict(self._contents(set(ids)))
        return {
            os.fsdecode(path): Entry(head.split()[0].decode(), contents[key])
            for (head, _, path), key in zip(found, ids, strict=True)
        }

    def renames(self, old: str, new: str) -> dict[str, str]:
        """The files that one tree has elsewhere than the other: old path to new path."""
        said = self._git("diff-tree", "-r", "-z", "-M", "--diff-filter=R", "--name-status", old, new).split(b"\0")
        paths = [os.fsdecode(path) for path in said]
        return dict(zip(paths[1::3], paths[2::3], strict=True))

    def patch(self, old: str, new: str) -> bytes:
        """What leads from one tree to another, for `git apply`."""
        return self._git("diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames", old, new)

    def _contents(self, ids: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
        said = memoryview(self._git("cat-file", "--batch", stdin=b"\n".join(ids) + b"\n")) if ids else memoryview(b"")
        start = 0
        while start < len(said):
            end = start + bytes(said[start : start + 128]).index(b"\n")
            key, _, size = bytes(said[start:end]).split()
            start = end + 1 + int(size)
            yield key, bytes(said[end + 1 : start])
            start += 1

    def _git(self, *arguments: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,)) -> bytes:
        return git.output(*arguments, cwd=self.folder, env=self._env, stdin=stdin, ok=ok)


def _quoted(path: str) -> bytes:
    """A path as fast-import reads it."""
    raw = os.fsencode(path).replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"%s"' % raw


def _clashes(said: bytes, label: str) -> Iterator[Clash]:
    """What merge-tree says behind the names of the files: number of paths, the paths, the kind and a sentence."""
    _, _, messages = said.partition(b"\0\0")
    fields = [os.fsdecode(field) for field in messages.split(b"\0")]
    while len(fields) > 1:
        count = int(fields[0])
        paths, kind = fields[1 : 1 + count], fields[1 + count]
        fields = fields[3 + count :]
        if kind.startswith("CONFLICT"):
            yield Clash(tuple(path.replace(f"~{_TEMPLATE}", f"~{_in_path(label)}") for path in paths), kind[10:-1])


def _in_path(label: str) -> str:
    return label.replace(" ", "-")


def _labelled(entry: Entry, label: str) -> Entry:
    """Say in the markers of conflicts whose version it is."""
    marker = _MARKERS[1] + _TEMPLATE.encode()
    if marker not in entry.content:
        return entry
    return entry._replace(content=entry.content.replace(marker, _MARKERS[1] + label.encode()))
