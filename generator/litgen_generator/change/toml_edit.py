"""Changes to a TOML file in place: each in the spelling that the file has at that point, nothing else touched."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from litgen_generator.change.toml_text import (
    Document,
    Entry,
    Form,
    Key,
    Section,
    dotted,
    is_note,
    key_of,
    lines_of,
    literal,
    loads,
    split,
    under,
    with_inner,
)


class _Home(NamedTuple):
    """Where the keys of a table stand: in a section, or as dotted keys in a section further up."""

    section: Section
    prefix: Key


class Editor:
    """Changes `document`; what is new goes where `model` has it, spelled as there."""

    def __init__(self, document: Document, model: Document) -> None:
        """Take the document, to be changed, and the one that has what is new."""
        self.document = document
        self.model = model

    def text_of(self, path: Key, value: Any) -> str:
        """The model's spelling of a value, TOML's plainest if it stands inside another one there."""
        entry = self.model.entry(path)
        return entry.parts.literal if entry else literal(value)

    def put(self, path: Key, text: str) -> None:
        """Give a key that has a statement, or stands in one, another value; both sides of a conflict get it."""
        entry = self.document.entry_around(path)
        if entry is None:
            raise KeyError(path)
        inner = path[len(entry.path) :]
        entry.statement = with_inner(entry.statement, inner, text) if inner else revalued(entry.statement, text)
        if entry.rival:
            entry.rival = with_inner(entry.rival, inner, text)

    def drop(self, path: Key) -> None:
        """Remove a key or a table with all in it; comment lines above a key are removed with it."""
        around = self.document.entry_around(path)
        if around and around.path != path:
            inner = path[len(around.path) :]
            around.statement = with_inner(around.statement, inner, None)
            around.rival = around.rival and with_inner(around.rival, inner, None)
        gone = {id(piece) for piece in (*self.document.sections_under(path), *self.document.entries_under(path))}
        self.document.sections = [section for section in self.document.sections if id(section) not in gone]
        for section in self.document.sections:
            section.entries = [entry for entry in section.entries if id(entry) not in gone]

    def mark(self, path: Key) -> None:
        """Make what stands under a path a conflict with nothing on the other side."""
        for section in self.document.sections_under(path):
            section.side = "yours"
        for entry in self.document.entries_under(path):
            entry.rival = ""

    def add(self, path: Key, value: Any, *, rival: bool = False) -> None:
        """Bring a key or table from the model that the document lacks; `rival`: as the other side of a conflict."""
        around = self.document.entry_around(path)
        if around and isinstance(around.parts.value, dict):
            self._add_inside(around, path, value, rival=rival)
            return
        self._insert_sections(self.model.sections_under(path), path, "theirs" if rival else "")
        entries = self.model.entries_under(path)
        if not entries and not self.model.sections_under(path):
            entries = [Entry([], f"{dotted(path[-1:])} = {literal(value)}\n", path[:-1])]
        for entry in entries:
            self._insert_entry(entry, path[:-1], rival=rival)

    def _add_inside(self, entry: Entry, path: Key, value: Any, *, rival: bool) -> None:
        inner = path[len(entry.path) :]
        text = self.text_of(path, value)
        if rival or entry.rival:
            entry.rival = with_inner(entry.rival or entry.statement, inner, text)
        if not rival:
            entry.statement = with_inner(entry.statement, inner, text)

    def _insert_entry(self, entry: Entry, table: Key, *, rival: bool) -> None:
        home = self._home(table)
        statement = entry.statement
        if home.section.path != entry.table:
            key = home.prefix + entry.path[len(table) :]
            statement = dotted(key) + " = " + entry.parts.literal + entry.parts.comment + "\n"
        new = Entry(list(entry.lead), statement, home.section.path)
        if rival:
            notes = "".join(line for line in new.lead if line.strip())
            new.lead, new.rival, new.absent = [], notes + statement, True
        home.section.entries.insert(self._entry_index(home, entry, table), new)

    def _entry_index(self, home: _Home, entry: Entry, table: Key) -> int:
        """After the nearest of the keys that precede it in the model; else first, or after the table's dotted keys."""
        order = self.model.section(entry.table)
        siblings = order.entries if order else []
        before = [each.path for each in siblings[: _index(siblings, entry)]]
        paths = [each.path for each in home.section.entries]
        for path in reversed(before):
            if path in paths:
                return paths.index(path) + 1
        if home.prefix:
            return max((index + 1 for index, path in enumerate(paths) if under(path, table)), default=len(paths))
        return 0

    def _home(self, table: Key) -> _Home:
        section = self.document.section(table)
        if section:
            return _Home(section, ())
        spelled_above = self.document.entries_under(table)
        if spelled_above:
            above = self.document.section(spelled_above[-1].table)
            if above:
                return _Home(above, table[len(above.path) :])
        like = self.model.section(table)
        new = replace(like, entries=[], tail=[]) if like else Section([], f"[{dotted(table)}]\n", table)
        return _Home(self._insert_sections([new], table, "", like)[0], ())

    def _insert_sections(
        self, sections: list[Section], top: Key, side: Literal["", "theirs"], like: Section | None = None
    ) -> list[Section]:
        """Copy sections of the model's in one piece, or new ones where it has `like`; a blank line parts them."""
        new = [_copied(section, side) for section in sections]
        if new:
            index = self._section_index(like or sections[0], top)
            above = any(section.text("") for section in self.document.sections[:index])
            if above and not (new[0].lead and not new[0].lead[0].strip()):
                new[0].lead.insert(0, "\n")
            self.document.sections[index:index] = new
        return new

    def _section_index(self, like: Section, top: Key) -> int:
        """Where the model has it: after the table before it in the same one, with all that is in that, or before."""
        parent, order = top[:-1], self.model.sections
        place = _index(order, like)
        for earlier in reversed(order[:place]):
            exact = earlier.path == parent
            found = self._places(earlier.path[: len(top)], exact=exact) if under(earlier.path, parent) else []
            if found:
                return found[-1] + 1
        for later in order[place + 1 :]:
            found = self._places(later.path[: len(top)]) if under(later.path, parent) and later.path != parent else []
            if found:
                return found[0]
        if parent and not self._places(parent):
            return self._section_index(like, parent)
        return (self._places(parent) or [len(self.document.sections) - 1])[-1] + 1

    def _places(self, path: Key, *, exact: bool = False) -> list[int]:
        """The indexes of the sections of a table and, unless `exact`, of those within."""
        return [
            index
            for index, section in enumerate(self.document.sections)
            if section.path == path or (not exact and under(section.path, path))
        ]


def set_values(text: str, values: Mapping[str, Any]) -> str:
    """Put values into a service.toml in place.

    Args:
        text: The file.
        values: A value for each dotted key, such as `shutdown.drain_timeout_s`; None removes the key.

    Raises:
        NotToml: The file is not TOML.
    """
    document = Document.parse(lines_of(text))
    for spelled, value in values.items():
        set_value(document, key_of(spelled), value)
    return Form.of(text).put_on(document.text())


def set_value(document: Document, path: Key, value: Any) -> None:
    """Put one value into a document in place; None removes the key."""
    header = f"[{dotted(path[:-1])}]\n" if path[1:] else ""
    new = Document.parse(f"{header}{dotted(path[-1:])} = {literal(value)}\n") if value is not None else Document([])
    editor = Editor(document, Document([*document.sections, *new.sections]))
    if value is not None and document.entry_around(path) and lookup(loads(document.text()), path) is not None:
        editor.put(path, literal(value))
        return
    editor.drop(path)
    if value is not None:
        editor.add(path, value)


def lookup(values: Mapping[str, Any], path: Key, default: Any = None) -> Any:
    """The value at a path of a parsed file."""
    found: Any = values
    for part in path:
        if not isinstance(found, Mapping) or part not in found:
            return default
        found = found[part]
    return found


def revalued(statement: str, text: str) -> str:
    """A statement with another value; its comment stays in its column if there is room."""
    parts = split(statement)
    note = parts.comment.lstrip(" ")
    gap = len(parts.comment) - len(note)
    if gap and is_note(note) and note.strip() and "\n" not in parts.literal + text:
        gap = max(1, gap + len(parts.literal) - len(text))
    return parts.spelled + text + " " * gap + note + parts.end


def _copied(section: Section, side: Literal["", "theirs"]) -> Section:
    entries = [replace(entry, lead=list(entry.lead)) for entry in section.entries]
    return replace(section, lead=list(section.lead), entries=entries, tail=list(section.tail), side=side)


def _index(pieces: list[Any], piece: Any) -> int:
    return next((index for index, each in enumerate(pieces) if each is piece), len(pieces))
