"""service.toml for tests: rendered as a project has it, and edited in every way that an owner or a template does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from difflib import unified_diff
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import yaml
from hypothesis import strategies as st

from litgen_generator.answers.model import Answers

ROOT = Path(__file__).parents[4]
Path_ = tuple[str, ...]


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT),
        extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"],
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )


@cache
def _templates() -> tuple[dict[str, jinja2.Template], jinja2.Template]:
    questions = yaml.safe_load((ROOT / "template/questions.yml").read_text(encoding="utf-8"))
    computed = {
        name: _environment().from_string(question["default"])
        for name, question in questions.items()
        if question.get("when") is False
    }
    return computed, _environment().get_template("template/project/service.toml.jinja")


def rendered(**answers: Any) -> str:
    """The service.toml that the template renders."""
    given = Answers.model_validate({"service_name": "demo-svc", **answers}).model_dump(mode="json")
    given["endpoints"] = [{k: v for k, v in each.items() if v is not None} for each in given["endpoints"]]
    computed, template = _templates()
    for name, default in computed.items():
        given[name] = yaml.safe_load(default.render(**given))
    return template.render(**given)


BASE = Path(__file__).with_name("service.toml").read_text(encoding="utf-8")
"""As a template once rendered it: what the tests edit does not change with the template."""


@dataclass
class Row:
    """A key with its value as written, its comment and the lines above it."""

    key: str
    literal: str
    comment: str = ""
    lead: list[str] = field(default_factory=list)

    @property
    def line(self) -> str:
        statement = f"{self.key} = {self.literal}"
        return f"{statement:29} # {self.comment}" if self.comment else statement


@dataclass
class Table:
    """A table: header, rows, the lines above the header and those after the last row."""

    path: Path_
    rows: list[Row]
    lead: list[str] = field(default_factory=lambda: [""])
    tail: list[str] = field(default_factory=list)
    spelling: str = "header"


class Doc(list[Table]):
    """A document; a failing test shows it as its difference from BASE."""

    def __repr__(self) -> str:
        return "\n" + "\n".join(unified_diff(BASE.splitlines(), text_of(self).splitlines(), n=0, lineterm=""))


def text_of(doc: Doc) -> str:
    """The document as text; a table spelled "inline" or "dotted" stands in the one above it."""
    lines: list[str] = []
    for table in doc:
        if table.spelling != "header":
            continue
        lines += [*table.lead, *(["[" + ".".join(table.path) + "]"] if table.path else [])]
        for row in table.rows:
            lines += [*row.lead, row.line]
        for inner in doc:
            if inner.path[:-1] == table.path and inner.spelling != "header" and inner is not table:
                lines += list(_inside(inner))
        lines += table.tail
    return "\n".join(lines) + "\n"


def _inside(table: Table) -> Iterator[str]:
    if table.spelling == "inline":
        pairs = ", ".join(f"{row.key} = {row.literal}" for row in table.rows)
        yield f"{table.path[-1]} = {{ {pairs} }}"
    else:
        for row in table.rows:
            yield f"{table.path[-1]}.{row.line}"


def doc_of(text: str) -> Doc:
    """What `rendered` wrote, taken apart by its known shape."""
    doc = Doc([Table((), [], lead=[])])
    for line in text.splitlines():
        if not line or line.startswith("#"):
            doc[-1].tail.append(line)
        elif line.startswith("["):
            blank = doc[-1].tail.pop()
            doc.append(Table(tuple(line.strip("[]").split(".")), [], lead=[blank]))
        else:
            found = re.fullmatch(r'(\w+) = ("[^"]*"|\S+)(?: +# (.*))?', line)
            assert found, line
            doc[-1].rows.append(Row(found[1], found[2], found[3] or ""))
    return doc


LITERALS = ["1", "1.0", "30.0", "3e1", "64", "true", "false", '"10MB"', "10_000_000", '"#, = {}"', "[1, 2]", "nan"]
VALUE_EDITS = ["value", "remove", "add", "move", "swap", "reformat", "table", "endpoint", "subtract", "respell"]
NOTE_EDITS = ["comment", "note", "note above", "note below", "blank", "unblank"]


@st.composite
def edited(draw: st.DrawFn, doc: Doc, mark: str, kinds: list[str], most: int = 6) -> Doc:
    """The document after some edits; all that they add has `mark` and a number in its name."""
    doc = deepcopy(doc)
    for number in range(draw(st.integers(0, most))):
        _edit(draw, doc, draw(st.sampled_from(kinds)), f"{mark}_{number}")
    return doc


def _edit(draw: st.DrawFn, doc: Doc, kind: str, name: str) -> None:
    tables = [each for each in doc if each.path] or doc
    first = [each for each in tables if each.path[:2] == ("endpoints", "embed")][:3] or tables
    table = draw(st.sampled_from(first) | st.sampled_from(tables))  # so that both sides meet
    rows = table.rows
    at = draw(st.integers(0, max(0, min(len(rows), draw(st.sampled_from([2, 9]))) - 1)))
    literal = draw(st.sampled_from(LITERALS))
    match kind:
        case "value" if rows:
            rows[at].literal = literal
        case "remove" if len(rows) > 1 or (rows and "_" not in table.path[-1]):
            del rows[at]
        case "add":
            rows.insert(at, Row(name, literal, f"of {name}"))
        case "move" if len(doc) > 2 and table in doc:
            doc.remove(table)
            doc.insert(draw(st.integers(1, len(doc))), table)
        case "swap" if rows:
            rows.insert(draw(st.integers(0, len(rows) - 1)), rows.pop(at))
        case "reformat" if rows and rows[at].literal == "30.0":
            rows[at].literal = "3e1"
        case _ if kind in VALUE_EDITS:
            _restructure(draw, doc, table, kind, name)
        case _:
            _annotate(draw, table, kind, name)


def _restructure(draw: st.DrawFn, doc: Doc, table: Table, kind: str, name: str) -> None:
    rows, literal = table.rows, draw(st.sampled_from(LITERALS))
    match kind:
        case "table" if table.path and table.spelling == "header":
            doc.insert(doc.index(table) + 1, Table((*table.path, name), [Row(f"key_{name}", literal)]))
        case "endpoint":
            path = ("endpoints", name)
            new = [Table(path, [Row("path", f'"/{name}"')]), Table((*path, "queue"), [Row("max_size", literal)])]
            index = draw(st.integers(1, len(doc)))
            doc[index:index] = new
        case "subtract":
            doc[:] = [each for each in doc if each.path[: len(table.path)] != table.path] or [Table((), [], lead=[])]
        case "respell" if table.path[2:] and rows and not table.tail:
            above = [each for each in doc if each.path == table.path[:-1] and each.spelling == "header"]
            inner = [each for each in doc if each.path[:-1] == table.path]
            plain = not any(row.lead or name.split("_")[0] in row.comment for row in rows) and table.lead == [""]
            if above and not inner and plain:
                table.spelling = draw(st.sampled_from(["inline", "dotted"]))


def _annotate(draw: st.DrawFn, table: Table, kind: str, name: str) -> None:
    if table.spelling != "header":
        return
    row = draw(st.sampled_from(table.rows)) if table.rows else None
    match kind:
        case "comment" if row:
            row.comment = f"about {name}"
        case "note" if row:
            row.lead.append(f"# note {name}")
        case "note above":
            table.lead.append(f"# above {name}")
        case "note below":
            table.tail.append(f"# below {name}")
        case "blank" if row:
            row.lead.append("")
        case "unblank":
            table.lead[:] = [line for line in table.lead if line]


def words(text: str, mark: str) -> set[str]:
    """The marked names in a text."""
    return set(re.findall(rf"\b{mark}_\d+\b", text))


def leaves(values: Mapping[str, Any], path: Path_ = ()) -> dict[Path_, str]:
    """The values of all keys, in a form that tells 1 from 1.0."""
    found: dict[Path_, str] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= leaves(value, (*path, key))
        else:
            found[(*path, key)] = repr(value)
    return found
