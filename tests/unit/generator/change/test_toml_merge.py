"""service.toml three ways: the edits that people make, one by one."""

from __future__ import annotations

import re
import tomllib

import pytest

from litgen_generator.change.toml_merge import merge
from litgen_generator.errors import NotToml
from tests.unit.generator.change.documents import BASE, rendered

LABEL = "template v0.3.0"
GEN = BASE[BASE.index("\n[endpoints.gen]") : BASE.index("\n[shutdown]")]
THIRD = GEN.replace("gen", "third").replace("Gen", "Third")
WITH_THIRD = BASE.replace("\n[shutdown]", f"{THIRD}\n[shutdown]")
WITHOUT_GEN = BASE.replace(GEN, "")
BATCHING = BASE[BASE.index("[endpoints.embed.batching]") : BASE.index("\n[endpoints.embed.queue]")]


def changed(text: str, old: str, new: str) -> str:
    """The text with one thing replaced, which it must have."""
    assert old in text
    return text.replace(old, new, 1)


def clean(ours: str, theirs: str, base: str = BASE) -> str:
    """The merge of an owner's file, which must be one without conflicts."""
    merged = merge(base, ours, theirs, LABEL)
    assert merged.conflicts == ()
    tomllib.loads(merged.text)
    return merged.text


DRAIN = changed(BASE, "drain_timeout_s = 30.0", "drain_timeout_s = 45.0")


@pytest.mark.parametrize(
    "edit",
    [
        ("\n[shutdown]", "\n# how we stop\n[shutdown]"),
        ("\n[shutdown]", '\n[endpoints.own]\npath = "/own"\n\n[shutdown]'),
        ("\n[shutdown]", "\n[own]\nkey = 1\n\n[shutdown]"),
        ("delay_s = 0.0", "delay_s = 5.0"),
        ("\n[endpoints.gen.queue]\n", "\n[endpoints.gen.queue]\n# own\nown = 1\n"),
        (GEN, ""),
        ("port = 8000\n", ""),
        ('host = "0.0.0.0"', "host = '0.0.0.0'"),
        ("api = true ", "api=true"),
        (BATCHING, ""),
        ('path = "/embed"\n', 'path = "/embed"\nown = [\n  1, # one\n]\n'),
    ],
)
def test_an_edit_elsewhere_stays(edit: tuple[str, str]) -> None:
    """What the owner edits next to a change of the template's stays, and the change comes in."""
    ours = changed(BASE, *edit)
    assert clean(ours, DRAIN) == changed(DRAIN, *edit)
    assert clean(changed(ours, "drain_timeout_s = 30.0", "drain_timeout_s = 45.0"), BASE, base=DRAIN) == ours


def test_tables_in_another_order() -> None:
    """The owner may put tables in another order; a change comes in where the table is."""
    shutdown = BASE[BASE.index("[shutdown]") :]
    moved = changed(changed(BASE, f"\n{shutdown}", ""), "[service]", f"{shutdown}\n[service]")
    assert clean(moved, DRAIN) == changed(moved, "drain_timeout_s = 30.0", "drain_timeout_s = 45.0")


@pytest.mark.parametrize("note", ["", "# mine\n", "\n# mine\n"])
def test_an_endpoint_comes_and_goes(note: str) -> None:
    """An added endpoint stands after its sibling's last table; removed again, nothing of it is left."""
    assert clean(BASE + note, WITH_THIRD) == WITH_THIRD + note
    assert clean(WITH_THIRD + note, BASE, base=WITH_THIRD) == BASE + note


def test_an_endpoint_after_a_table_of_the_owners() -> None:
    """A new endpoint does not come between an endpoint and a table or comment that the owner added to it."""
    own = "\n[endpoints.gen.own]\nkey = 1\n# the end of gen\n"
    ours = changed(BASE, "\n[shutdown]", f"{own}\n[shutdown]")
    assert clean(ours, WITH_THIRD) == changed(WITH_THIRD, THIRD, own + THIRD)


def test_an_endpoint_where_the_owner_removed_all() -> None:
    """A new endpoint comes even if none is left before it."""
    ours = BASE[: BASE.index("\n[endpoints.embed]")] + BASE[BASE.index("\n[shutdown]") :]
    assert clean(ours, WITH_THIRD) == changed(ours, "\n[shutdown]", f"{THIRD}\n[shutdown]")


def test_a_key_comes_behind_its_neighbour() -> None:
    """A new key stands behind the key before it in the template, wherever the owner has that, with its comments."""
    new = "# what it is\nnew = 1 # why\n"
    theirs = changed(BASE, "per_device = 1", f"{new}per_device = 1")
    ours = changed(BASE, "[endpoints.embed.workers]\n", "[endpoints.embed.workers]\nown = 1\n")
    assert clean(ours, theirs) == changed(ours, "per_device = 1", f"{new}per_device = 1")
    ours = changed(BASE, 'devices = "auto" ', 'own = "auto" ')
    assert "[endpoints.embed.workers]\n# what it is\nnew = 1 # why\nown" in clean(ours, theirs)


def test_a_value_keeps_the_owners_comment_in_its_column() -> None:
    """The template's value comes in beside a comment of the owner's, which stays in its column."""
    ours = changed(BASE, "drain_timeout_s = 30.0        # what", "drain_timeout_s = 30.0        # WHAT")
    theirs = changed(BASE, "drain_timeout_s = 30.0        ", "drain_timeout_s = 5.0         ")
    assert clean(ours, theirs) == changed(ours, "30.0        # WHAT", "5.0         # WHAT")


def test_comments_three_ways() -> None:
    """A comment that only the template changed is the template's; one that the owner changed is the owner's."""
    words = "what has been accepted gets this long to finish after SIGTERM"
    theirs = changed(changed(BASE, words, "new words"), "# Every choice", "# Each choice")
    ours = changed(BASE, "drain_timeout_s = 30.0 ", "drain_timeout_s = 60.0 ")
    assert clean(ours, theirs) == changed(theirs, "drain_timeout_s = 30.0 ", "drain_timeout_s = 60.0 ")
    ours = changed(changed(BASE, words, "own words"), "# Every", "# own line\n# Every")
    assert clean(ours, theirs) == changed(ours, "# Every choice", "# Each choice")
    removed = changed(BASE, f"# {words}", "")
    assert clean(removed, theirs) == changed(removed, "# Every choice", "# Each choice")


def test_a_key_in_conflict() -> None:
    """A key that both changed stands between markers, both lines whole; no other line is."""
    ours = changed(BASE, "drain_timeout_s = 30.0", "drain_timeout_s = 60.0")
    merged = merge(BASE, ours, DRAIN, LABEL)
    mine, new = (next(line for line in text.splitlines() if "drain" in line) for text in (ours, DRAIN))
    block = f"<<<<<<< yours\n{mine}\n=======\n{new}\n>>>>>>> {LABEL}"
    assert merged == (changed(ours, mine, block), ("shutdown.drain_timeout_s",))


@pytest.mark.parametrize(
    ("ours", "theirs", "yours", "new"),
    [
        (("port = 8000\n", ""), ("port = 8000", "port = 9000"), "", "port = 9000\n"),
        (("port = 8000", "port = 9000"), ("port = 8000\n", ""), "port = 9000\n", ""),
        (("port = 8000", "port = 8000 # mine"), ("port = 8000\n", ""), "port = 8000 # mine\n", ""),
        (
            ("port = 8000", "port = 8000\nnew = 1"),
            ("port = 8000", "port = 8000\nnew = 1.0"),
            "new = 1\n",
            "new = 1.0\n",
        ),
    ],
)
def test_a_side_may_be_empty(ours: tuple[str, str], theirs: tuple[str, str], yours: str, new: str) -> None:
    """A key that one side removed and the other changed is a conflict with an empty side."""
    merged = merge(BASE, changed(BASE, *ours), changed(BASE, *theirs), LABEL)
    assert f"<<<<<<< yours\n{yours}=======\n{new}>>>>>>> {LABEL}\n" in merged.text
    assert len(merged.conflicts) == 1


def test_what_the_owner_removed_stays_removed() -> None:
    """A key or table that the owner removed does not come back for a new comment, key or, in an endpoint, value."""
    theirs = changed(BASE, "# requests in one call", "# new words: requests in one call")
    theirs = changed(theirs, "max_wait_s = 0.005 ", "new = 1\nmax_wait_s = 0.005 ")
    ours = changed(BASE, BATCHING, "")
    assert clean(ours, theirs) == ours
    theirs = changed(theirs, "max_streams = 32", "max_streams = 64")
    assert clean(WITHOUT_GEN, theirs) == changed(
        WITHOUT_GEN, BATCHING, theirs[theirs.index(BATCHING[:20]) :].split("\n\n")[0] + "\n"
    )


def test_a_new_key_of_a_table_that_the_owner_removed() -> None:
    """A key that the owner never saw comes, also where the service's table is gone: the others stay removed."""
    shutdown = BASE[BASE.index("\n[shutdown]") :]
    theirs = changed(BASE, "[shutdown]\n", "[shutdown]\nnew = 1\n")
    ours = changed(BASE, shutdown, "")
    assert clean(ours, theirs) == f"{ours}\n[shutdown]\nnew = 1\n"


def test_a_table_removed_by_the_owner_and_changed() -> None:
    """A table that the owner removed and in which the template changed a value is shown whole."""
    theirs = changed(BASE, "max_wait_s = 0.005", "max_wait_s = 0.006")
    merged = merge(BASE, changed(BASE, f"{BATCHING}\n", ""), theirs, LABEL)
    block = changed(BATCHING, "max_wait_s = 0.005", "max_wait_s = 0.006")
    assert merged.conflicts == ("endpoints.embed.batching.max_wait_s",)
    assert f"\n\n<<<<<<< yours\n=======\n{block}>>>>>>> {LABEL}\n\n[endpoints.embed.queue]" in merged.text


@pytest.mark.parametrize(
    ("edit", "key"),
    [
        (("keep_alive_s = 15.0 ", "own = 1\nkeep_alive_s = 15.0 "), "endpoints.gen.streaming.own"),
        (("max_streams = 32 ", "max_streams = 33 "), "endpoints.gen.streaming.max_streams"),
        (("max_streams = 32 ", "# own\nmax_streams = 32 "), "endpoints.gen"),
        (("# that one worker", "# own that one worker"), "endpoints.gen"),
        (("\n\n[shutdown]", "\n# own\n\n[shutdown]"), "endpoints.gen"),
        (("[endpoints.gen.streaming]", "# own\n[endpoints.gen.streaming]"), "endpoints.gen"),
        (("[endpoints.gen.streaming]", "[endpoints.gen.streaming] # own"), "endpoints.gen"),
        (("\n[shutdown]", "\n[endpoints.gen.own]\na.b = 1\n\n[shutdown]"), "endpoints.gen.own.a.b"),
    ],
)
def test_a_removed_table_with_words_of_the_owners(edit: tuple[str, str], key: str) -> None:
    """What the owner wrote in a table that the template removes is kept, the whole table, as a conflict."""
    ours = changed(BASE, *edit)
    merged = merge(BASE, ours, WITHOUT_GEN, LABEL)
    assert merged.conflicts == (key,)
    assert re.sub(rf"<<<<<<< yours\n|=======\n>>>>>>> {LABEL}\n", "", merged.text) == ours
    assert "\n\n<<<<<<< yours\n[endpoints.gen]" in merged.text


def test_a_comment_above_a_removed_key() -> None:
    """A comment that the owner wrote above a key which the template removes stays, without a conflict."""
    ours = changed(BASE, "delay_s", "# own\ndelay_s")
    theirs = "\n".join(line for line in BASE.split("\n") if not line.startswith(("delay_s", "api")))
    assert clean(ours, theirs) == theirs + "# own\n"


class TestSpellings:
    """Inline tables and dotted keys are the same keys, and are changed in the owner's spelling."""

    theirs = changed(
        changed(BASE, "max_size = 32 ", "max_size = 64 "), "max_wait_s = 0.005 ", "new = 1\nmax_wait_s = 0.005 "
    )

    @pytest.mark.parametrize(
        ("mine", "merged"),
        [
            (
                "batching = {max_size=32 , max_wait_s = 0.005} # b",
                "batching = {max_size=64 , max_wait_s = 0.005, new = 1} # b",
            ),
            (
                "batching.max_wait_s = 0.005\nbatching.max_size = 32",
                "batching.max_wait_s = 0.005\nbatching.max_size = 64\nbatching.new = 1",
            ),
            (
                "  'batching' . max_size = 32\nbatching.max_wait_s = 5e-3",
                "  'batching' . max_size = 64\nbatching.new = 1\nbatching.max_wait_s = 5e-3",
            ),
        ],
    )
    def test_changes_come_in(self, mine: str, merged: str) -> None:
        """Values are changed and keys added in place."""
        above = 'path = "/embed"\n'
        ours = changed(changed(BASE, f"{BATCHING}\n", ""), above, f"{above}{mine}\n")
        assert clean(ours, self.theirs) == changed(ours, mine, merged)

    def test_a_table_goes(self) -> None:
        """A table removed by the template goes in each spelling, or key by key out of an inline table."""
        theirs = changed(BASE, f"{BATCHING}\n", "")
        for mine in ("batching = {max_size = 32}", "batching.max_size = 32"):
            ours = changed(theirs, 'path = "/embed"\n', f'path = "/embed"\n{mine}\n')
            assert clean(ours, theirs) == theirs
        ours = "[endpoints]\nembed = {own = 1, batching = {max_size = 32}}\n"
        base = changed(ours, "own = 1, ", "")
        assert clean(ours, "[endpoints]\nembed = {}\n", base) == "[endpoints]\nembed = {own = 1}\n"

    def test_a_conflict_is_that_of_the_statement(self) -> None:
        """A conflict inside an inline table shows the whole statement on both sides."""
        above = 'path = "/embed"\n'
        mine = "batching = {max_size = 3, max_wait_s = 0.005} # b\n"
        ours = changed(changed(BASE, f"{BATCHING}\n", ""), above, above + mine)
        merged = merge(BASE, ours, self.theirs, LABEL)
        assert merged.conflicts == ("endpoints.embed.batching.max_size",)
        sides = [mine.replace("5}", "5, new = 1}"), mine.replace("= 3,", "= 64,").replace("5}", "5, new = 1}")]
        assert f"<<<<<<< yours\n{sides[0]}=======\n{sides[1]}>>>>>>> {LABEL}\n" in merged.text

    def test_a_table_without_a_header(self) -> None:
        """A key of a table that has only tables within gets a header above those."""
        base = changed(BASE, BASE[BASE.index("\n[endpoints.gen]") : BASE.index("\n[endpoints.gen.workers]")], "")
        theirs = changed(base, "[endpoints.gen.workers]", "[endpoints.gen]\nnew = 1\n\n[endpoints.gen.workers]")
        assert clean(base + "# own\n", theirs, base) == theirs + "# own\n"


ARRAY = '\n[[own]]\nname = "a"\n[own.inner]\nb = 1\n\n[[own]] # two\nname = "b"\n'


def test_arrays_of_tables_are_one_value() -> None:
    """An array of tables is taken, removed or in conflict as a whole."""
    base, new = BASE + ARRAY, BASE + changed(ARRAY, '"b"', '"c"')
    mine = changed(base, "port = 8000", "port = 9000")
    assert clean(mine, new, base) == changed(new, "port = 8000", "port = 9000")
    assert clean(mine, BASE, base) == changed(BASE, "port = 8000", "port = 9000")
    assert clean(changed(BASE, "port = 8000", "port = 9000"), base) == mine
    merged = merge(base, BASE + changed(ARRAY, '"b"', '"d"'), new, LABEL)
    assert merged.conflicts == ("own",)
    assert merged.text.count("<<<<<<< yours") == 2
    assert '"d"' in merged.text
    assert '"c"' in merged.text


def test_a_value_against_a_table() -> None:
    """Where one side has a value and the other a table, both are in the conflict."""
    value, table = changed(BASE, "port = 8000", "port = 8000\nnew = 1"), BASE + "\n[service.new]\nkey = 1\n"
    for ours, theirs in ((value, table), (table, value)):
        merged = merge(BASE, ours, theirs, LABEL)
        assert merged.conflicts == ("service.new",)
        assert "new = 1\n" in merged.text
        assert "[service.new]\nkey = 1\n" in merged.text
    for base, theirs in ((value, table), (table, value)):
        merged_values = tomllib.loads(clean(f"# own\n{base}", theirs, base))
        assert merged_values == tomllib.loads(theirs)


def test_types_tell_values_apart() -> None:
    """1 and 1.0 are two values, 30.0 and 3e1 are one, strings are compared by what they say."""
    base = 'a = 30.0\nb = "10MB"\nc = 1\n'
    assert merge(base, "a = 3e1\nb = '10MB'\nc = 1\n", 'a = 2.0\nb = "1MB"\nc = 2\n', LABEL) == (
        'a = 2.0\nb = "1MB"\nc = 2\n',
        (),
    )
    assert merge(base, 'a = 30\nb = "10MB"\nc = 1.0\n', 'a = 2.0\nb = "10MB"\nc = 2\n', LABEL).conflicts == ("a", "c")


def test_both_kinds_of_line_ends_stay() -> None:
    """In a file with line ends of both kinds, each line keeps its own."""
    ours = changed(BASE, "port = 8000\n", "port = 8000\r\n")
    assert clean(ours, DRAIN) == changed(DRAIN, "port = 8000\n", "port = 8000\r\n")


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = 1\nb = \n", 2), ("a = 1\na = 2\n", 2), ("a = [\n", 2), ("<<<<<<< yours\na = 1\n", 1), ("\n[a\n", 2)],
)
def test_what_is_not_toml_is_refused(text: str, line: int) -> None:
    """The error names the line and says what to do."""
    with pytest.raises(NotToml, match=f"line {line}: .*Correct") as caught:
        merge(BASE, text, DRAIN, LABEL)
    assert caught.value.line == line


def test_every_kind_of_value_is_taken() -> None:
    """Values of every type come in as the template spells them."""
    new = 'a = 1979-05-27T07:32:00Z\nb = """\nx # = y\n"""\n"c d".e = [\n  1, # one\n]\nf = 0xFF\n'
    assert clean("# own\n", new, "") == f"{new}# own\n"
    assert tomllib.loads(clean("# own\n", new, "")) == tomllib.loads(new)


def test_rendered_names_are_merged() -> None:
    """Two adds one after the other give what a project made with all three has."""
    one, two, three = (rendered(endpoints=[{"name": name} for name in "abc"[:count]]) for count in (1, 2, 3))
    own = "# own\n"
    assert clean(clean(one + own, two, one), three, two) == three + own


def test_a_template_that_spells_a_table_otherwise() -> None:
    """A table that the template now writes as dotted keys is changed where the owner has it."""
    embed = 'path = "/embed"\n'
    theirs = changed(
        changed(BASE, f"{BATCHING}\n", ""), embed, f"{embed}batching.max_size = 64\nbatching.max_wait_s = 0.005\n"
    )
    merged = clean(BASE + "# own\n", theirs)
    assert "[endpoints.embed.batching]\nmax_size = 64\nmax_wait_s = 0.005\n" in merged
    assert tomllib.loads(merged) == tomllib.loads(theirs)


def test_a_conflict_shows_the_owners_line_as_it_is() -> None:
    """In a conflict the owner's line keeps its comment, though the template has another."""
    line = "drain_timeout_s = 60.0        # what has been accepted gets this long to finish after SIGTERM\n"
    ours = changed(BASE, "drain_timeout_s = 30.0", "drain_timeout_s = 60.0")
    merged = merge(BASE, ours, changed(DRAIN, "what has been accepted", "new words"), LABEL)
    assert f"<<<<<<< yours\n{line}=======\ndrain_timeout_s = 45.0        # new words" in merged.text


def test_a_comment_line_that_both_sides_added() -> None:
    """It stands once, whatever else the owner wrote there."""
    theirs = changed(BASE, "delay_s", "# both\ndelay_s")
    ours = changed(BASE, "delay_s", "# own\n# both\ndelay_s")
    assert clean(ours, theirs) == ours


def test_the_order_of_keys_means_nothing() -> None:
    """The same keys in another order are the same, also in tables within an array."""
    base = "a = [{b = 1, c = 2}]\n"
    assert merge(base, "a = [{c = 2, b = 1}]\n", "a = 3\n", LABEL) == ("a = 3\n", ())


@pytest.mark.timeout(10)
def test_a_value_of_many_lines() -> None:
    """A long text, with a mark on each line that could begin a comment, takes no time to speak of."""
    own = 'text = """\n' + 'a line # with "quotes"\n' * 4000 + '""" # mine\nafter = 1\n'
    theirs = BASE.replace("drain_timeout_s = 30.0", "drain_timeout_s = 60.0")
    merged = merge(BASE, f"{BASE}\n[own]\n{own}", theirs, "template v2")
    assert merged == (f"{theirs}\n[own]\n{own}", ())
