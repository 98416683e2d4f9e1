"""Laws of the three-way merge of service.toml, over random edits of the files that the template renders."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import tomlkit
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from litgen_generator.change.toml_merge import merge
from tests.unit.generator.change.documents import (
    BASE,
    NOTE_EDITS,
    VALUE_EDITS,
    Doc,
    Path_,
    doc_of,
    edited,
    leaves,
    rendered,
    text_of,
    words,
)

LABEL = "template v0.3.0"
ALL_EDITS = VALUE_EDITS + NOTE_EDITS
BASE_DOC = doc_of(BASE)

owners = edited(BASE_DOC, "own", ALL_EDITS)
templates = edited(BASE_DOC, "new", [*VALUE_EDITS, *NOTE_EDITS])
many = settings(max_examples=50, deadline=None)


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """Good answers of every kind."""
    names = draw(st.lists(st.sampled_from(["embed", "gen", "rank", "zoom"]), min_size=1, max_size=4, unique=True))
    endpoints = []
    for name in names:
        kind = draw(st.sampled_from(["batch", "single", "stream"]))
        endpoints.append(
            {
                "name": name,
                "kind": kind,
                "timeout_s": draw(st.sampled_from([30.0, 5.0, 86400.0, False])),
                "input": draw(st.sampled_from(["json", "upload"])),
                "output": "json" if kind == "stream" else draw(st.sampled_from(["json", "bytes"])),
                "devices": draw(st.sampled_from(["auto", "cuda:0,1,2,3,4,5,6,7,8"])),
                "gpu_memory_fraction": draw(st.sampled_from([None, 0.5])),
            }
        )
    return {"endpoints": endpoints, "shutdown_api": draw(st.booleans()), "api_keys": draw(st.booleans())}


def resolved(text: str, side: int) -> dict[str, Any]:
    """The values once every conflict is resolved to one side."""
    pattern = r"<<<<<<< yours\n(.*?)=======\n(.*?)>>>>>>> [^\n]*\n"
    return tomllib.loads(re.sub(pattern, lambda found: found[side], text, flags=re.DOTALL))


def tables(doc: Doc) -> set[Path_]:
    """The paths of all tables."""
    return {table.path[:end] for table in doc for end in range(len(table.path) + 1)}


def three_ways(base: Doc, ours: Doc, theirs: Doc) -> tuple[dict[Path_, str], set[Path_]]:
    """What a merge has to give, key by key, and the keys in conflict."""
    b, o, t = (leaves(tomllib.loads(text_of(doc))) for doc in (base, ours, theirs))
    gone_in_ours, gone_in_theirs = tables(base) - tables(ours) - {("endpoints",)}, tables(base) - tables(theirs)
    merged: dict[Path_, str | None] = {}
    conflicts: set[Path_] = set()
    for path in b | o | t:
        before, mine, now = b.get(path), o.get(path), t.get(path)
        above = {path[:end] for end in range(1, len(path))}
        removed_here = mine is None and above & gone_in_ours
        of_endpoint = removed_here and any(len(top) == 2 and top[0] == "endpoints" for top in removed_here)
        if of_endpoint or (removed_here and before is None and any(len(top) > 1 for top in removed_here)):
            merged[path] = None
        elif now in (before, mine):
            merged[path] = mine
            if now is None and before is None and above & gone_in_theirs:
                conflicts.add(path)
        elif mine == before:
            merged[path] = now
        else:
            conflicts.add(path)
    return {path: value for path, value in merged.items() if value is not None}, conflicts


def with_mine(merged: dict[Path_, str], conflicts: set[Path_], ours: Doc, theirs: Doc) -> dict[Path_, str]:
    """The merged keys with those in conflict as the owner has them, a table that the template removed as a whole."""
    mine = leaves(tomllib.loads(text_of(ours)))
    gone = tables(BASE_DOC) - tables(theirs)
    tops = [next((key[:end] for end in range(1, len(key)) if key[:end] in gone), key) for key in conflicts]
    inside = {path for path in mine | merged for top in tops if path[: len(top)] == top}
    kept = {path: value for path, value in merged.items() if path not in inside}
    return kept | {path: value for path, value in mine.items() if path in inside}


@many
@given(owners)
def test_a_template_without_changes_changes_nothing(ours: Doc) -> None:
    """merge(b, o, b) == o, to the byte."""
    assert merge(BASE, text_of(ours), BASE, LABEL) == (text_of(ours), ())


@many
@given(owners)
def test_the_same_changes_on_both_sides_are_none(ours: Doc) -> None:
    """merge(b, o, o) == o, to the byte."""
    assert merge(BASE, text_of(ours), text_of(ours), LABEL) == (text_of(ours), ())


@settings(max_examples=30, deadline=None)
@given(answers(), answers())
def test_an_untouched_file_becomes_the_templates(old: dict[str, Any], new: dict[str, Any]) -> None:
    """merge(b, b, t) == t; so it is, too, with a line of the owner's at the end, which takes the longer way."""
    base, theirs = rendered(**old), rendered(**new)
    assert merge(base, base, theirs, LABEL) == (theirs, ())
    note = "# mine\n"
    merged = merge(base, base + note, theirs, LABEL)
    assert merged.conflicts == ()
    if [each["name"] for each in old["endpoints"] if each in new["endpoints"]] == [
        each["name"] for each in new["endpoints"] if each in old["endpoints"]
    ]:
        assert sorted(merged.text.splitlines()) == sorted((theirs + note).splitlines())


@many
@given(owners, templates)
def test_a_merge_is_a_merge_of_each_key(ours: Doc, theirs: Doc) -> None:
    """Keys, values and conflicts are those of a three-way merge of each key; what the owner wrote is in the file."""
    mine, template = text_of(ours), text_of(theirs)
    assume(mine != BASE)
    merged = merge(BASE, mine, template, LABEL)
    expected, conflicts = three_ways(BASE_DOC, ours, theirs)
    assert words(mine, "own") <= words(merged.text, "own")
    found = {tuple(key.split(".")) for key in merged.conflicts}
    assert conflicts <= found
    for extra in found - conflicts:  # a removal by the template where the owner wrote a comment
        assert extra not in leaves(tomllib.loads(template))
        assert "own_" in mine
    if not found:
        values = tomllib.loads(merged.text)
        assert leaves(values) == expected
        assert leaves(tomlkit.parse(merged.text).unwrap()) == expected
    else:
        assert leaves(resolved(merged.text, 1)) == with_mine(expected, found, ours, theirs)
        resolved(merged.text, 2)


@many
@given(edited(BASE_DOC, "own", VALUE_EDITS), edited(BASE_DOC, "new", VALUE_EDITS))
def test_conflicts_are_keys_changed_on_both_sides(ours: Doc, theirs: Doc) -> None:
    """Without comments of the owner's, the conflicts are exactly the keys that both sides changed."""
    for table in ours:
        for row in table.rows:
            row.comment = "" if row.comment.startswith("of own") else row.comment
    merged = merge(BASE, text_of(ours), text_of(theirs), LABEL)
    _, conflicts = three_ways(BASE_DOC, ours, theirs)
    assert {tuple(key.split(".")) for key in merged.conflicts} == conflicts
    assert ("<<<<<<<" in merged.text) == bool(conflicts)


@many
@given(owners, templates, st.booleans(), st.booleans(), st.booleans())
def test_the_form_of_the_file_stays(ours: Doc, theirs: Doc, crlf: bool, ended: bool, mark: bool) -> None:
    """CRLF, a missing last line end and a byte order mark change nothing else, and stay."""
    mine = text_of(ours)
    form = mine if ended else mine.rstrip("\n")
    form = form.replace("\n", "\r\n") if crlf else form
    plain = merge(BASE, mine if ended else form.replace("\r\n", "\n") + "\n", text_of(theirs), LABEL)
    merged = merge(BASE, ("\ufeff" if mark else "") + form, text_of(theirs), LABEL)
    expected = plain.text if ended else plain.text.removesuffix("\n")
    assert merged.conflicts == plain.conflicts
    assert merged.text.replace("\r\n", "\n") == ("\ufeff" if mark else "") + expected
    assert ("\r\n" in merged.text) == (crlf and "\n" in merged.text)
    assert merged.text.count("\n") == merged.text.count("\r\n") or not crlf


@many
@given(owners, st.data())
def test_one_value_changes_one_line(ours: Doc, data: st.DataObject) -> None:
    """A value that only the template changed is changed in its line, and no other line is."""
    table = data.draw(st.sampled_from([table for table in BASE_DOC if table.rows]))
    row = data.draw(st.sampled_from(table.rows))
    new = f"{row.key} = 4711"
    lines = BASE.split("\n")
    header = lines.index("[" + ".".join(table.path) + "]")
    index = next(at for at in range(header, len(lines)) if lines[at].startswith(f"{row.key} ="))
    lines[index] = new
    mine = text_of(ours)
    merged = merge(BASE, mine, "\n".join(lines), LABEL)
    assume(not merged.conflicts)
    before, after = mine.split("\n"), merged.text.split("\n")
    assert len(before) == len(after)
    assert sum(one != other for one, other in zip(before, after, strict=True)) <= 1
