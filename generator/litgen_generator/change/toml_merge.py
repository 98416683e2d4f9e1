"""service.toml three ways, key by key: the owner's file with what the template changed put into it.

What a line-by-line merge takes for a conflict (a comment above a table, tables in another order, an endpoint of the
owner's own) is none here, and the file can be read after every merge without one.
"""

from collections.abc import Iterator
from difflib import SequenceMatcher
from enum import Enum
from typing import Any, Final, NamedTuple

from litgen_generator.change.toml_edit import Editor, lookup
from litgen_generator.change.toml_text import (
    Document,
    Entry,
    Form,
    Key,
    Section,
    dotted,
    lines_of,
    loads,
    same,
    under,
    with_inner,
)


class Merged(NamedTuple):
    """The merged file, and the dotted keys in conflict, between markers in it."""

    text: str
    conflicts: tuple[str, ...]


class _Nothing(Enum):
    """The value of a key that is not there."""

    MISSING = 0


MISSING: Final = _Nothing.MISSING


class Kind(Enum):
    """What becomes of a key in the owner's file."""

    TAKE = "the template's value"
    DROP = "removed"
    CLASH = "a conflict"


class Edit(NamedTuple):
    """A key or table in which the owner's file is to change; `keys` are those in conflict."""

    kind: Kind
    path: Key
    keys: tuple[Key, ...] = ()


def merge(base: str, ours: str, theirs: str, label: str) -> Merged:
    """Bring what changed from `base` to `theirs` into `ours`, whose every other byte stays.

    Args:
        base: service.toml as the template rendered it when the project was made or last upgraded.
        ours: As the owner has it.
        theirs: As the template renders it now.
        label: What conflict markers call the template's side, such as "template v0.3.0".

    Raises:
        NotToml: `ours` is not TOML.
    """
    form, lines = Form.of(ours), lines_of(ours)
    loads(lines)
    if lines == lines_of(base):
        return Merged(theirs if ours == base else form.put_on(lines_of(theirs)), ())
    merger = _Merger(Document.parse(lines_of(base)), Document.parse(lines), Document.parse(lines_of(theirs)))
    merger.run()
    return Merged(form.put_on(merger.ours.text(label)), tuple(dict.fromkeys(map(dotted, merger.conflicts))))


def decide(path: Key, base: Any, ours: Any, theirs: Any) -> Iterator[Edit]:
    """The changes that a table or value of the owner's needs, from the three values that stand at its path."""
    if path == ("endpoints",) and ours is MISSING and _is_table(base):
        ours = {}
    if same(base, theirs) or same(ours, theirs):
        return
    if _is_table(ours) and _is_table(theirs):
        before = base if _is_table(base) else {}
        for key in dict.fromkeys([*theirs, *before]):
            values = (table.get(key, MISSING) for table in (before, ours, theirs))
            yield from decide((*path, key), *values)
    elif ours is MISSING and _is_table(base) and _is_table(theirs):
        changed = tuple(_changed(path, base, theirs))
        if changed and not (len(path) == 2 and path[0] == "endpoints"):
            yield Edit(Kind.CLASH, path, changed)
        elif len(path) == 1:  # of an endpoint's, the table itself is a choice
            yield from (Edit(Kind.TAKE, key) for key in _changed_or_added(path, base, theirs))
    elif same(base, ours):
        yield Edit(Kind.DROP if theirs is MISSING else Kind.TAKE, path)
    elif theirs is MISSING and _is_table(base) and _is_table(ours):
        own = tuple(_changed_or_added(path, base, ours))
        yield Edit(Kind.CLASH if own else Kind.DROP, path, own)
    else:
        yield Edit(Kind.CLASH, path, (path,))


class _Merger:
    """One merge: `ours` becomes the result, `conflicts` its keys in conflict."""

    def __init__(self, base: Document, ours: Document, theirs: Document) -> None:
        self.base, self.ours, self.theirs = base, ours, theirs
        self.values = [loads(document.text()) for document in (base, ours, theirs)]
        self.editor = Editor(ours, theirs)
        self.conflicts: list[Key] = []

    def run(self) -> None:
        edits = list(decide((), *self.values))
        self._follow_comments([edit.path for edit in edits if edit.kind is Kind.CLASH])
        for edit in edits:
            match edit.kind:
                case Kind.CLASH:
                    self._clash(edit.path, edit.keys)
                case Kind.DROP:
                    self._drop(edit.path)
                case Kind.TAKE:
                    self._take(edit.path)

    def _take(self, path: Key) -> None:
        _, ours, theirs = self._at(path)
        if ours is MISSING:
            self.editor.add(path, theirs)
        elif self.ours.entry_around(path) and not _is_table(theirs):
            self.editor.put(path, self.editor.text_of(path, theirs))
        elif self._drop(path):
            self.editor.add(path, theirs)

    def _drop(self, path: Key) -> bool:
        """Remove what the owner has not changed; else it is a conflict, and False."""
        if self._own_notes(path):
            self._clash(path, (path,))
            return False
        known = self._notes_of_base(path) | {""}
        for section in self.ours.sections:
            leads = [entry.lead for entry in section.entries] + [section.tail]
            for entry, following in zip(section.entries, leads[1:], strict=True):
                if under(entry.path, path) and not under(section.path, path):
                    following[:0] = [line for line in entry.lead if line.strip() not in known]
        self.editor.drop(path)
        return True

    def _clash(self, path: Key, keys: tuple[Key, ...]) -> None:
        self.conflicts += keys
        _, ours, theirs = self._at(path)
        entry = self.ours.entry_around(path)
        if ours is not MISSING and entry and not _is_table(theirs):
            entry.rival = self._rival(entry, path, theirs)
            return
        if ours is not MISSING:
            self.editor.mark(path)
        if theirs is not MISSING:
            self.editor.add(path, theirs, rival=True)

    def _rival(self, entry: Entry, path: Key, theirs: Any) -> str:
        """The other side of the conflict of a statement."""
        inner = path[len(entry.path) :]
        if inner:
            text = None if theirs is MISSING else self.editor.text_of(path, theirs)
            return with_inner(entry.rival or entry.statement, inner, text)
        if theirs is MISSING:
            return ""
        like = self.theirs.entry(path)
        comment = like.parts.comment if like else ""
        return entry.parts.spelled + self.editor.text_of(path, theirs) + comment + "\n"

    def _own_notes(self, path: Key) -> bool:
        """Whether the owner wrote a comment that would go with a key or table."""
        found = {note for section in self.ours.sections_under(path) for note in _section_notes(section)}
        found |= {entry.remark for entry in self.ours.entries_under(path)}
        return not found <= self._notes_of_base(path) | {""}

    def _notes_of_base(self, path: Key) -> set[str]:
        found = {note for section in self.base.sections_under(path) for note in _section_notes(section)}
        entries = self.base.entries_under(path)
        around = self.base.entry(path)
        for entry in [*entries, *([around] if around else [])]:
            found |= {entry.remark, *(line.strip() for line in entry.lead)}
        return found

    def _at(self, path: Key) -> tuple[Any, Any, Any]:
        base, ours, theirs = (lookup(values, path, MISSING) for values in self.values)
        return base, ours, theirs

    def _follow_comments(self, clashes: list[Key]) -> None:
        """Take the template's comments where the owner has those of the base."""
        for section in self.ours.sections:
            before, now = self.base.section(section.path), self.theirs.section(section.path)
            if section.array or not before or not now:
                continue
            section.lead = merged_notes(before.lead, section.lead, now.lead)
            section.tail = merged_notes(before.tail, section.tail, now.tail)
            if section.head.strip() == before.head.strip() and before.remark != now.remark:
                section.head = now.head
        for entry in self.ours.entries():
            was, new = self.base.entry(entry.path), self.theirs.entry(entry.path)
            if was and new:
                clash = any(under(path, entry.path) or under(entry.path, path) for path in clashes)
                _follow(entry, was, new, lines_only=clash)


def _follow(ours: Entry, base: Entry, theirs: Entry, *, lines_only: bool) -> None:
    """Take the template's comments on one key, and the whole statement if the owner has not touched it."""
    ours.lead = merged_notes(base.lead, ours.lead, theirs.lead)
    reworded = base.remark != theirs.remark
    if lines_only or not (reworded or not same(base.parts.value, theirs.parts.value)):
        return
    if ours.statement.strip() == base.statement.strip() and ours.table == theirs.table:
        ours.statement = theirs.statement
    elif reworded and ours.remark == base.remark:
        parts = ours.parts
        gap = parts.comment[: len(parts.comment) - len(parts.comment.lstrip())]
        comment = gap + theirs.remark if gap and theirs.remark else theirs.parts.comment.rstrip()
        ours.statement = parts.spelled + parts.literal + comment + parts.end


def merged_notes(base: list[str], ours: list[str], theirs: list[str]) -> list[str]:
    """Comment lines three ways: each of the template's changes whose place the owner left as it was."""
    before, now = ([line.strip() for line in lines] for lines in (base, theirs))
    if [line for line in before if line] == [line for line in now if line]:
        return ours
    mine = [line.strip() for line in ours]
    if mine in (before, now):
        return list(theirs) if mine == before else ours
    place = {
        block.a + offset: block.b + offset
        for block in SequenceMatcher(None, before, mine, autojunk=False).get_matching_blocks()
        for offset in range(block.size)
    }
    result = list(ours)
    for tag, start, stop, first, last in reversed(SequenceMatcher(None, before, now, autojunk=False).get_opcodes()):
        at = _span(place, start, stop, len(before), len(mine))
        if tag != "equal" and at is not None:
            result[at : at + stop - start] = [line for line in theirs[first:last] if line.strip() not in mine]
    return result


def _span(place: dict[int, int], start: int, stop: int, before: int, mine: int) -> int | None:
    """Where lines start..stop of the base stand in the owner's, in one piece; None if they do not."""
    if start == stop:
        after, here = place.get(start - 1), place.get(start, mine if start == before else None)
        return after + 1 if after is not None else here if start else (0 if here is None else here)
    found = [place.get(index) for index in range(start, stop)]
    first = found[0]
    return first if first is not None and found == list(range(first, first + stop - start)) else None


def _section_notes(section: Section) -> Iterator[str]:
    yield from (line.strip() for line in [*section.lead, *section.tail])
    yield section.remark
    for entry in section.entries:
        yield entry.remark
        yield from (line.strip() for line in entry.lead)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _changed(path: Key, base: dict[str, Any], other: dict[str, Any]) -> Iterator[Key]:
    """The keys of the base whose value another file has changed."""
    for key in (each for each in base if each in other):
        before, now = base[key], other[key]
        if _is_table(before) and _is_table(now):
            yield from _changed((*path, key), before, now)
        elif not same(before, now):
            yield (*path, key)


def _changed_or_added(path: Key, base: dict[str, Any], other: dict[str, Any]) -> Iterator[Key]:
    """The keys whose value in another file the base does not have."""
    for key, now in other.items():
        before = base.get(key, MISSING)
        if _is_table(now) and (now or _is_table(before)):
            yield from _changed_or_added((*path, key), before if _is_table(before) else {}, now)
        elif not same(before, now):
            yield (*path, key)
