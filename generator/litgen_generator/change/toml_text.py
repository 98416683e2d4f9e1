"""A TOML file as its statements, each to be changed alone while all else stays as it is written.

Where a statement, its key, its value and its comment end is asked of tomllib: the shortest text that it accepts.
So there is one grammar, and no second parser to keep in step with it.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import Any, Literal, NamedTuple, Self

from litgen_generator.errors import NotToml

Key = tuple[str, ...]
"""A dotted key, part by part."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LINE = re.compile(r"at line (\d+)")
_ENDS = ("]", "}", '"""', "'''")
"""What the last line of a statement of several lines has to have."""


class Parts(NamedTuple):
    """A statement `key = value  # comment` taken apart; joined, they are its text again."""

    spelled: str
    literal: str
    comment: str
    """With the space before it."""
    end: str
    key: Key
    value: Any


@dataclass
class Entry:
    """A statement that gives a value, with the comment and blank lines above it."""

    lead: list[str]
    statement: str
    table: Key
    rival: str | None = None
    """The other side of a conflict; "" where it has no such key."""
    absent: bool = False
    """Only the other side of a conflict has this."""

    @property
    def parts(self) -> Parts:
        """What the statement is made of."""
        return split(self.statement)

    @property
    def path(self) -> Key:
        """The whole key, from the top of the file."""
        return self.table + self.parts.key

    @property
    def remark(self) -> str:
        """The comment behind the value."""
        return self.parts.comment.strip()

    def text(self, label: str) -> str:
        """The lines, as a conflict with `label` if it is one."""
        yours = "" if self.absent else self.statement
        given = yours if self.rival is None else conflict(yours, self.rival, label)
        return "".join(self.lead) + given


@dataclass
class Section:
    """A `[table]` with what stands in it, up to the comment right above the next one."""

    lead: list[str] = field(default_factory=list)
    head: str = ""
    path: Key = ()
    entries: list[Entry] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    array: bool = False
    """It belongs to an array of tables, which is one value."""
    side: Literal["", "yours", "theirs"] = ""
    """The one side of a conflict that has it."""

    @property
    def remark(self) -> str:
        """The comment behind the header."""
        return self.head[len(_code(self.head)) :].strip()

    def text(self, label: str) -> str:
        """The lines."""
        return "".join([*self.lead, self.head, *(entry.text(label) for entry in self.entries), *self.tail])


@dataclass
class Document:
    """All sections of a file; the first has what stands above every header."""

    sections: list[Section]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take apart a text that tomllib accepts and whose last line ends.

        Raises:
            NotToml: It is not TOML.
        """
        loads(text)
        sections = [Section()]
        arrays: set[Key] = set()
        notes: list[str] = []
        for statement in _statements(text):
            if is_note(statement):
                notes.append(statement)
                continue
            if statement.lstrip().startswith("["):
                path = _header(statement)
                if statement.lstrip().startswith("[["):
                    arrays.add(path)
                sections[-1].tail, lead = _tail_and_lead(notes)
                array = any(under(path, top) for top in arrays)
                sections.append(Section(lead, statement, path, array=array))
            else:
                sections[-1].entries.append(Entry(notes, statement, sections[-1].path))
            notes = []
        sections[-1].tail = notes
        return cls(sections)

    def text(self, label: str = "") -> str:
        """The file, conflicts written with `label` as the name of the other side."""
        found = ""
        for side, group in groupby(self.sections, lambda section: section.side):
            sections = "".join(section.text(label) for section in group)
            if side:
                shown = sections.lstrip("\r\n")
                found += sections[: len(sections) - len(shown)]
                sections = conflict(*((shown, "") if side == "yours" else ("", shown)), label)
            found += sections
        return found

    def section(self, path: Key) -> Section | None:
        """The table with this header, if it has one."""
        return next((each for each in self.sections if each.path == path and not each.array), None)

    def entries(self) -> Iterator[Entry]:
        """Every statement outside of arrays of tables."""
        return (entry for section in self.sections if not section.array for entry in section.entries)

    def entry(self, path: Key) -> Entry | None:
        """The statement of exactly this key."""
        return next((entry for entry in self.entries() if entry.path == path), None)

    def entry_around(self, path: Key) -> Entry | None:
        """The statement of this key, or of the inline table that it stands in."""
        return next((entry for entry in self.entries() if under(path, entry.path)), None)

    def sections_under(self, path: Key) -> list[Section]:
        """The headers of a table or array and of all tables within."""
        return [section for section in self.sections if under(section.path, path)]

    def entries_under(self, path: Key) -> list[Entry]:
        """The statements of a key, or of what is below it, that stand in tables above it."""
        return [entry for entry in self.entries() if under(entry.path, path) and not under(entry.table, path)]


class Form(NamedTuple):
    """What a file has apart from its lines: how they end, and a byte order mark."""

    mark: str
    crlf: bool
    ended: bool

    @classmethod
    def of(cls, text: str) -> Self:
        """The form of a file; with line ends of both kinds, they are part of its lines."""
        crlf = "\n" in text and text.count("\n") == text.count("\r\n")
        return cls("\ufeff" if text.startswith("\ufeff") else "", crlf, not text or text.endswith("\n"))

    def put_on(self, lines: str) -> str:
        """The file with these lines."""
        shown = lines if self.ended else lines.removesuffix("\n").removesuffix("\r")
        return self.mark + (shown.replace("\n", "\r\n") if self.crlf else shown)


def lines_of(text: str) -> str:
    """A file without its form: no mark, every line ended."""
    form = Form.of(text)
    lines = text.removeprefix("\ufeff")
    return (lines.replace("\r\n", "\n") if form.crlf else lines) + ("" if form.ended else "\n")


def decoded(content: bytes) -> str:
    """The text of a file.

    Raises:
        NotToml: It is not UTF-8, and so not TOML.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise NotToml(line, f"the byte 0x{content[error.start]:02x} is not UTF-8") from None


def loads(text: str) -> dict[str, Any]:
    """The values of a file.

    Raises:
        NotToml: It is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = _LINE.search(str(error))
        raise NotToml(int(line[1]) if line else text.count("\n") + 1, str(error).partition(" (at ")[0]) from None


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same to a reader that tells 1 from 1.0; the order of keys means nothing."""
    return repr(_sorted(one)) == repr(_sorted(other))


def under(path: Key, top: Key) -> bool:
    """Whether a key is `top` or stands in it."""
    return path[: len(top)] == top


def is_note(line: str) -> bool:
    """Whether a line is blank or a comment."""
    return line.strip()[:1] in ("", "#")


def conflict(yours: str, theirs: str, label: str) -> str:
    """The two sides between markers."""
    return f"<<<<<<< yours\n{yours}=======\n{theirs}>>>>>>> {label}\n"


def dotted(path: Iterable[str]) -> str:
    """A key as TOML spells it."""
    return ".".join(part if _BARE.fullmatch(part) else literal(part) for part in path)


def key_of(spelled: str) -> Key:
    """The parts of a key in TOML's spelling."""
    return _first_key(tomllib.loads(f"{spelled} = 0"))


def literal(value: Any) -> str:
    """A value as TOML spells it."""
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case bool():
            return str(value).lower()
        case dict():
            return "{" + ", ".join(f"{dotted([key])} = {literal(each)}" for key, each in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(literal, value)) + "]"
        case int() | float():
            return repr(value)
    return str(value.isoformat())


@lru_cache(maxsize=4096)
def split(statement: str) -> Parts:
    """Take a `key = value` statement apart."""
    line = statement.rstrip("\r\n")
    equals = _cut(line, "=", lambda start: f"{start}= 0")
    code = _code(line)
    spelled = code[: len(code) - len(code[equals + 1 :].lstrip(" \t"))]
    key = key_of(line[:equals])
    value = tomllib.loads(code)
    for part in key:
        value = value[part]
    return Parts(spelled, code[len(spelled) :], line[len(code) :], statement[len(line) :], key, value)


def with_inner(statement: str, inner: Key, text: str | None) -> str:
    """A statement with one value of its inline table put to `text`, or taken out (None); itself, if `inner` is ()."""
    parts = split(statement)
    shown = (text or "") if not inner else _with_item(parts.literal, inner, text)
    return parts.spelled + shown + parts.comment + parts.end


def _with_item(table: str, inner: Key, text: str | None) -> str:
    body = table[1:-1]
    left = body[: len(body) - len(body.lstrip())]
    right = body[len(body.rstrip()) :] if body.strip() else ""
    items = list(_items(body.strip()))
    for index, item in enumerate(items):
        key = split(item).key
        if under(inner, key):
            if inner != key or text is not None:
                items[index] = with_inner(item, inner[len(key) :], text)
            else:
                del items[index]
            break
    else:
        if text is not None:
            items.append(f" {dotted(inner)} = {text}")
    return "{" + left + ",".join(items).strip() + right + "}"


def _items(body: str) -> Iterator[str]:
    while body:
        comma = _cut(body, ",", lambda start: f"table = {{{start}}}")
        yield body[:comma] if comma >= 0 else body
        body = body[comma + 1 :] if comma >= 0 else ""


def _code(line: str) -> str:
    """A line without its comment and the space before that."""
    at = _cut(line, "#", str, line.rfind("\n", 0, -1) + 1)  # a statement is not complete before its last line
    return (line if at < 0 else line[:at]).rstrip()


def _cut(text: str, mark: str, complete: Callable[[str], str], start: int = 0) -> int:
    """Where the first `mark` stands before which the text, made complete, is TOML: one outside of strings; or -1."""
    at = text.find(mark, start)
    while at >= 0 and not _accepted(complete(text[:at])):
        at = text.find(mark, at + 1)
    return at


def _accepted(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _statements(text: str) -> Iterator[str]:
    pending = ""
    for line in text.split("\n")[:-1]:
        begins = not pending
        pending += f"{line}\n"
        if (begins or any(end in line for end in _ENDS)) and _accepted(pending):
            yield pending
            pending = ""


def _header(statement: str) -> Key:
    return _first_key(tomllib.loads(statement))


def _first_key(value: Any) -> Key:
    path: Key = ()
    while isinstance(value, dict) and value:
        ((part, value),) = value.items()
        path += (part,)
    return path


def _tail_and_lead(notes: list[str]) -> tuple[list[str], list[str]]:
    """Part the lines above a header: the comment right above it, with the blank lines before, is about it."""
    at = len(notes)
    while at and notes[at - 1].strip():
        at -= 1
    while at and not notes[at - 1].strip():
        at -= 1
    return notes[:at], notes[at:]


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value
