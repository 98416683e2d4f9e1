"""What a three-way merge may come to, worked out without git and without the engine."""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from litgen_generator.change.trees import Entry

Path = tuple[str, ...]
MISSING = "<missing>"
"""The value of a key that is not there."""


class Values(NamedTuple):
    """What stands at a key, three times."""

    base: str
    ours: str
    theirs: str

    @property
    def clash(self) -> bool:
        """Whether both sides have changed it, differently."""
        return len({self.base, self.ours, self.theirs}) == 3


def touch(base: bytes, ours: bytes, theirs: bytes) -> bool:
    """Whether two edits of a text overlap or stand side by side."""
    return any(
        start <= other_end and other_start <= end
        for start, end in _hunks(base, ours)
        for other_start, other_end in _hunks(base, theirs)
    )


def similar(one: bytes, other: bytes) -> bool:
    """Whether a file may be another one that was moved: at least about half of it is the same."""
    return difflib.SequenceMatcher(None, one.split(b"\n"), other.split(b"\n"), autojunk=False).ratio() > 0.4


def is_text(content: bytes) -> bool:
    """Whether git merges it by lines."""
    return b"\0" not in content[:8000]


def unix(content: bytes) -> bytes:
    """A file whose every line ends as on Windows, with the template's ends: that is no edit."""
    plain = content.replace(b"\r\n", b"\n")
    return plain if content.count(b"\r\n") == content.count(b"\n") else content


def values(content: bytes) -> dict[Path, str]:
    """The value of every key of a TOML file, one that is told from 1 by 1.0 and true; empty where it is none.

    An empty table is a value too.
    """
    return dict(_leaves((), parsed(content) or {}))


def parsed(content: bytes) -> dict[str, Any] | None:
    """What a TOML file says; None if it is none."""
    try:
        return tomllib.loads(content.decode("utf-8", "surrogateescape").removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError:
        return None


def triples(base: bytes, ours: bytes, theirs: bytes) -> dict[Path, Values]:
    """What stands at every key of three files."""
    sides = [values(each) for each in (base, ours, theirs)]
    keys = sides[0].keys() | sides[1].keys() | sides[2].keys()
    return {key: Values(*(side.get(key, MISSING) for side in sides)) for key in keys}


def key_path(dotted: str) -> Path:
    """The parts of a dotted key."""
    found: Any = tomllib.loads(f"{dotted} = 0")
    path: Path = ()
    while isinstance(found, dict):
        ((part, found),) = found.items()
        path += (part,)
    return path


def under(path: Path, top: Path) -> bool:
    """Whether a key stands in another, or is it."""
    return path[: len(top)] == top


def mode(entry: Entry) -> str:
    """The mode of a file as git keeps it, from the one it has on the disk."""
    if entry.mode.startswith("0o12"):
        return "120000"
    return "100755" if int(entry.mode, 8) & 0o100 else "100644"


def as_git(tree: Mapping[str, Entry]) -> dict[str, Entry]:
    """A tree with modes as git keeps them."""
    return {path: Entry(mode(entry), entry.content) for path, entry in tree.items()}


def _hunks(base: bytes, other: bytes) -> Iterator[tuple[int, int]]:
    before, now = (text.splitlines(keepends=True) for text in (base, other))
    for tag, start, stop, _, _ in difflib.SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
        if tag != "equal":
            yield start, stop


def _leaves(path: Path, value: Any) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _leaves((*path, key), each)
    elif path:
        yield path, repr(value)
