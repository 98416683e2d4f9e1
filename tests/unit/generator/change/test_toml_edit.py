"""Values put into a TOML file in place."""

from __future__ import annotations

import datetime
import tomllib
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from litgen_generator.change.toml_edit import set_values
from litgen_generator.change.toml_text import Document, dotted, key_of, literal, loads, split, with_inner
from litgen_generator.errors import NotToml
from tests.unit.generator.change.documents import BASE

scalars = st.one_of(st.integers(), st.floats(allow_nan=False), st.booleans(), st.text(), st.datetimes(), st.dates())
values = st.recursive(scalars, lambda each: st.lists(each) | st.dictionaries(st.text(), each), max_leaves=5)


@settings(max_examples=100, deadline=None)
@given(values, st.lists(st.text(), min_size=1, max_size=3))
@example(1, ["b"])
@example(1, ["b", "x", ""])
def test_what_is_written_reads_the_same(value: Any, path: list[str]) -> None:
    """Any value under any key is read as it was; the key too."""
    assert tomllib.loads(f"key = {literal(value)}\n") == {"key": value}
    assert key_of(dotted(path)) == tuple(path)
    assert loads(set_values("[a]\nb = 1\n", {dotted(["a", *path]): 2})) == _with({"a": {"b": 1}}, ["a", *path], 2)


def _with(into: dict[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    if path[:2] == ["a", "b"] and path[2:]:  # a value cannot hold another: it makes way for a table
        into["a"]["b"] = {}
    table = into
    for part in path[:-1]:
        table = table.setdefault(part, {})
    table[path[-1]] = value
    return into


@pytest.mark.parametrize(
    ("values", "old", "new"),
    [
        ({"shutdown.delay_s": 5.0}, "delay_s = 0.0  ", "delay_s = 5.0  "),
        ({"shutdown.drain_timeout_s": 120}, "= 30.0        # what has", "= 120         # what has"),
        ({"shutdown.delay_s": "a much longer value"}, "0.0                 #", '"a much longer value" #'),
        ({"endpoints.gen.path": None}, 'path = "/gen"\n', ""),
        ({"endpoints.gen.new": True}, "\n[endpoints.gen.workers]", "new = true\n\n[endpoints.gen.workers]"),
        ({"endpoints.gen.own.new": 1}, "\n[shutdown]", "\n[endpoints.gen.own]\nnew = 1\n\n[shutdown]"),
        ({"shutdown.nothing": None}, "", ""),
        ({"nothing.at.all": None}, "", ""),
    ],
)
def test_one_value(values: dict[str, Any], old: str, new: str) -> None:
    """One value changes one place, in the spelling that is there."""
    at = BASE.rindex(old) if "gen" in str(values) and old.startswith("\n[sh") else BASE.index(old)
    assert set_values(BASE, values) == BASE[:at] + new + BASE[at + len(old) :]
    crlf = "\ufeff" + BASE.replace("\n", "\r\n").rstrip()
    assert set_values(crlf, values) == "\ufeff" + set_values(BASE, values).replace("\n", "\r\n").rstrip()


def test_a_table_is_removed() -> None:
    """None removes a table with all within."""
    start, end = BASE.index("\n[endpoints.gen]"), BASE.index("\n[shutdown]")
    assert set_values(BASE, {"endpoints.gen": None}) == BASE[:start] + BASE[end:]


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("a = {b = 1} # c\n", {"a.b": 2}, "a = {b = 2} # c\n"),
        ("a = {b = 1}\n", {"a.c": "x"}, 'a = {b = 1, c = "x"}\n'),
        ("a = { b = 1 }\n", {"a.c.d": 2}, "a = { b = 1, c.d = 2 }\n"),
        ("a = { b = 1, c.d = 2 }\n", {"a.b": None}, "a = { c.d = 2 }\n"),
        ("a = {b = {c = [1, 2]}, d = ','}\n", {"a.b.c": 3, "a.d": None}, "a = {b = {c = 3}}\n"),
        ("a = {}\n", {"a.b": 2}, "a = {b = 2}\n"),
        ("a.b = 1\n[c]\n", {"a.d": 2}, "a.b = 1\na.d = 2\n[c]\n"),
        ('"a.b" = 1\n', {'"a.b"': 2, "a.b": 3}, '"a.b" = 2\n\n[a]\nb = 3\n'),
        ("", {"a": 1, "b.c": 2}, "a = 1\n\n[b]\nc = 2\n"),
        ("[[a]]\nb = 1\n", {"c": 2}, "c = 2\n[[a]]\nb = 1\n"),
        ("a = [\n 1, # one\n]\n", {"a": 2}, "a = 2\n"),
    ],
)
def test_every_spelling(text: str, values: dict[str, Any], expected: str) -> None:
    """Inline tables and dotted keys keep their form."""
    assert set_values(text, values) == expected


STATEMENTS = [
    '"a=#b" = "x # y" # c\n',
    "a.b  =  [1, # one\n 2] # c\r\n",
    "  x={ a = 1,b.c = {d='}, #'} }   \n",
    "'' = '''\n# = ''' # \"\n",
    'a = """\\"""" # = """\n',
    "a = 1#b\n",
    "a = 1979-05-27 07:32:00 # day",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_is_the_sum_of_its_parts(statement: str) -> None:
    """Taken apart and joined, it is the same; the comment is what follows the value."""
    parts = split(statement)
    assert parts.spelled + parts.literal + parts.comment + parts.end == statement
    assert tomllib.loads(f"value = {parts.literal}")["value"] == parts.value
    assert parts.comment.strip()[:1] in ("", "#")
    assert with_inner(statement, (), "1979-05-27") == parts.spelled + "1979-05-27" + parts.comment + parts.end


@pytest.mark.parametrize("text", ["", "# only\n", "\n\n", "".join(STATEMENTS[:2]) + '[a."b#"] # c\n[[d]]\n \t\n# e\n'])
def test_a_document_is_the_sum_of_its_statements(text: str) -> None:
    """Parsing loses nothing."""
    document = Document.parse(text)
    assert document.text() == text
    assert [section.remark for section in document.sections[1:2]] == ["# c"] * ("[[d]]" in text)


def test_dates() -> None:
    """Dates and times are spelled as TOML has them."""
    assert literal(datetime.time(7, 32)) == "07:32:00"
    assert literal([datetime.date(1979, 5, 27)]) == "[1979-05-27]"


def test_no_toml() -> None:
    """What is not TOML is refused with its line."""
    with pytest.raises(NotToml, match="line 2"):
        set_values("a = 1\nb\n", {"a": 2})
