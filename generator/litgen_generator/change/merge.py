"""The three-way merge of a project: which files are merged how, and what is a conflict.

* `service.toml` is the owner's: it is merged key by key.
* A handler, its schemas and its tests are the owner's: kept if edited, brought up to date if not.
* What the owner has deleted stays deleted.
* The runtime's pin and wheel in pyproject.toml are the template's, whatever the owner has put beside them.
* What litgen keeps its own books in comes from the template's side.
* All else is merged by git, as text, with renames followed.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import yaml

from litgen_generator.change import runtime_pin, toml_merge
from litgen_generator.change.project import ANSWERS, SETTINGS
from litgen_generator.change.toml_text import decoded
from litgen_generator.change.trees import Clash, Entry, Merged, Tree, Trees

_OWNED = re.compile(r"(src/[^/]+|tests)/endpoints/")
_OF_ENDPOINT = re.compile(r"(?:src/[^/]+/endpoints/(\w+)/|tests/endpoints/test_(\w+)\.py$)")
_BOOKS = ".litgen/"

_REASONS = {
    "contents": "you and the template changed the same lines",
    "add/add": "you and the template have each added it",
    "modify/delete": "you have edited it, and the template has it no more",
    "rename/delete": "you have edited it, and the template has it no more",
    "rename/rename": "you and the template have each moved it",
    "rename/add": "the template moves another file there",
    "file/directory": "a file and a folder of that name",
    "binary": "you and the template have each changed it; yours was kept",
    "distinct types": "one side made it a link",
    "distinct modes": "you and the template have each added it",
}


class Conflict(NamedTuple):
    """What only the owner can decide: where, which key if it is one of service.toml, and why."""

    path: str
    why: str
    key: str | None = None
    copies: tuple[str, ...] = ()
    """Where the file is, if both sides have moved it."""


class Kept(NamedTuple):
    """A file that stays as its owner has it, although the template's has changed."""

    path: str
    why: str


@dataclass
class Merge:
    """What came of it.

    Args:
        after: The merged files.
        conflicts: What could not be merged; it stands in the files between markers, or they are as the owner left them.
        kept: What was left alone.
    """

    after: dict[str, Entry]
    conflicts: list[Conflict] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)


def merge(trees: Trees, base: Tree, ours: Tree, theirs: Tree, label: str) -> Merge:
    """Merge what the template gives now into what the owner has.

    Args:
        trees: Where git works.
        base: What the template gave before.
        ours: The owner's files.
        theirs: What the template gives now.
        label: What that is called in conflicts.
    """
    plain, crlf = _with_plain_line_ends(ours, base)
    start, plain = runtime_pin.following(base, plain, theirs)
    trees.keep({"yours": "base", "theirs": "base"}, base=start, yours=plain, theirs=theirs)
    by_owner, by_template = trees.renames("base", "yours"), trees.renames("base", "theirs")
    kept: list[Kept] = []
    standing = _standing(start, plain, theirs, by_owner, by_template, kept)
    sides = [dict(side) for side in (start, plain, standing)]
    settings = _settled(sides, ours, theirs)
    merged = trees.merged(sides[0], sides[1], sides[2], label)
    result = Merge(dict(merged.tree), list(_conflicts(merged.clashes, merged.tree)), kept)
    old_path = {new: old for old, new in by_template.items()}
    for path, entry in result.after.items():
        if old_path.get(path, path) in crlf:
            result.after[path] = entry._replace(content=entry.content.replace(b"\n", b"\r\n"))
    if settings:
        _merge_settings(result, base, ours, theirs, label)
    _merge_answers(result, base, ours, theirs)
    return result


def merge_as_text(trees: Trees, base: Tree, ours: Tree, theirs: Tree) -> Merged:
    """Merge every file as git does."""
    return trees.merged(base, ours, theirs, "before")


def lost_by_copier(trees: Trees, base: Tree, ours: Tree, theirs: Tree) -> dict[str, str | None]:
    """The files that the owner has edited and the template has no more: where each is now, or None."""
    edited = [path for path in base if path not in theirs and path in ours]
    edited = [path for path in edited if _without_returns(ours[path]) != _without_returns(base[path])]
    if not edited:
        return {}
    trees.keep({"theirs": "base"}, base=base, theirs=theirs)
    moved = trees.renames("base", "theirs")
    return {path: moved.get(path) for path in sorted(edited)}


def is_taken_back(before: Tree, after: Tree, ours: Tree) -> bool:
    """Whether every file that a change has changed is as before it, but for its line ends, of which git has a say."""
    changed = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
    return all(_without_returns(ours.get(path)) == _without_returns(before.get(path)) for path in changed)


def _without_returns(entry: Entry | None) -> Entry | None:
    return entry and entry._replace(content=entry.content.replace(b"\r\n", b"\n"))


def is_owned(path: str) -> bool:
    """Whether a file is one that the owner writes: a handler, its schemas, its tests."""
    return _OWNED.match(path) is not None


def endpoint_of(path: str) -> str | None:
    """The endpoint that a file is of, if it is of one."""
    found = _OF_ENDPOINT.match(path)
    return (found[1] or found[2]) if found else None


def _with_plain_line_ends(ours: Tree, base: Tree) -> tuple[dict[str, Entry], set[str]]:
    """The owner's files with the template's line ends, and which had others: those are no edits."""
    plain, crlf = dict(ours), set()
    for path in ours.keys() & base.keys():
        content = ours[path].content
        ends = content.count(b"\r\n")
        if ends and ends == content.count(b"\n") and b"\0" not in content and b"\r" not in base[path].content:
            plain[path] = ours[path]._replace(content=content.replace(b"\r\n", b"\n"))
            crlf.add(path)
    return plain, crlf


def _standing(
    base: Tree,
    ours: Tree,
    theirs: Tree,
    by_owner: Mapping[str, str],
    by_template: Mapping[str, str],
    kept: list[Kept],
) -> dict[str, Entry]:
    """The template's side without what it is not to change: then git sees no change there either."""
    result = dict(theirs)
    for path, was in base.items():
        mine = ours.get(path)
        there = by_template.get(path, path)
        if mine == was or there not in theirs or path.startswith(_BOOKS) or path == ANSWERS:
            continue
        if mine is None and path not in by_owner:
            del result[there]
            result[path] = was
            if theirs[there] != was:
                kept.append(Kept(path, "you have deleted it"))
        elif is_owned(path) and theirs[there] != was and ours.get(by_owner.get(path, path)) != was:
            result[there] = was
            kept.append(Kept(by_owner.get(path, there), "yours: you have edited it"))
    for path, new in theirs.items():
        if (
            is_owned(path)
            and path not in base
            and path in ours
            and ours[path] != new
            and path not in by_template.values()
        ):
            result[path] = ours[path]
            kept.append(Kept(path, "yours: it was there before"))
    return result


def _settled(sides: list[dict[str, Entry]], ours: Tree, theirs: Tree) -> bool:
    """Take out of git's merge what is merged otherwise; say whether service.toml is."""
    books = {path for path in (*sides[0], *theirs) if path.startswith(_BOOKS)}  # what else is there is the owner's
    for side in sides:
        for path in books & side.keys():
            del side[path]
        side.update({path: entry for path, entry in theirs.items() if path.startswith(_BOOKS)})
        side[ANSWERS] = theirs[ANSWERS]
        if SETTINGS in ours:
            side[SETTINGS] = ours[SETTINGS]
    return SETTINGS in ours


def _merge_settings(result: Merge, base: Tree, ours: Tree, theirs: Tree, label: str) -> None:
    texts = [decoded(side[SETTINGS].content) for side in (base, ours, theirs)]
    merged = toml_merge.merge(texts[0], texts[1], texts[2], label)
    result.after[SETTINGS] = ours[SETTINGS]._replace(content=merged.text.encode())
    result.conflicts += [
        Conflict(SETTINGS, "you and the template have each changed it", key) for key in merged.conflicts
    ]


def _merge_answers(result: Merge, base: Tree, ours: Tree, theirs: Tree) -> None:
    """Take the template's answers; lines that the owner has written into that file go behind them, as comments."""
    mine, known = ours.get(ANSWERS, base[ANSWERS]), {*_lines(base[ANSWERS]), *_lines(theirs[ANSWERS])}
    own = [line if line.startswith(b"#") else b"# " + line for line in _lines(mine) if line not in known]
    new = theirs[ANSWERS]
    if _data(base[ANSWERS]) == _data(new):
        new = mine  # no answer has changed: nothing is written
    elif own:
        new = new._replace(content=new.content + b"\n".join(own) + b"\n")
    result.after[ANSWERS] = new


def _lines(entry: Entry) -> list[bytes]:
    return [line.rstrip() for line in entry.content.splitlines() if line.strip()]


def _data(entry: Entry) -> object:
    return yaml.safe_load(entry.content)


def _conflicts(clashes: list[Clash], files: Tree) -> Iterator[Conflict]:
    seen = set()
    for clash in clashes:
        path = next((path for path in clash.paths if path in files), clash.paths[0])
        if path not in seen:
            seen.add(path)
            copies = tuple(dict.fromkeys(each for each in clash.paths if each in files))
            if clash.kind != "rename/rename" or len(copies) < 2:
                yield Conflict(path, _REASONS.get(clash.kind, f"git says: {clash.kind}"))
            else:
                yield Conflict(path, f"{_REASONS[clash.kind]}: {' and '.join(copies)}", None, copies)
