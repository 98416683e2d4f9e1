"""The words that are no names."""

import builtins
import keyword
import re
import sys

from litgen_generator.answers import words

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def test_the_standard_library_of_this_python_is_known() -> None:
    """A package named as a module of the running Python is refused."""
    modules = {name for name in sys.stdlib_module_names if NAME.fullmatch(name)}
    assert modules <= words.STANDARD_LIBRARY


def test_the_keywords_of_this_python_are_known() -> None:
    """Keywords and soft keywords are refused."""
    assert {word for word in [*keyword.kwlist, *keyword.softkwlist] if NAME.fullmatch(word)} <= words.KEYWORDS


def test_no_class_is_called_as_a_builtin() -> None:
    """Each endpoint name whose class would hide a builtin is refused."""
    camel = {"".join(part.capitalize() for part in word.split("_")) for word in words.CLASS_NAMES}
    written_in_camel = {name for name in dir(builtins) if re.fullmatch(r"([A-Z][a-z]+)+", name)}
    assert written_in_camel <= camel


def test_every_word_could_be_a_name() -> None:
    """The lists hold nothing that the pattern of names refuses anyway."""
    for listed in (words.KEYWORDS, words.STANDARD_LIBRARY, words.INSTALLED_PACKAGES, words.CLASS_NAMES):
        assert all(NAME.fullmatch(word) for word in listed)
