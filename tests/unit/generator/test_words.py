"""The words that are no names."""

import builtins
import keyword
import re
import sys
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from litgen_generator.answers import words

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def test_the_standard_library_of_this_python_is_known() -> None:
    """A package named as a module of the running Python is refused."""
    modules = {name for name in sys.stdlib_module_names if NAME.fullmatch(name)}
    assert modules <= words.STANDARD_LIBRARY


def installed(names: list[str]) -> Iterator[metadata.Distribution]:
    """Distributions and all that they need, as far as they are installed here."""
    seen: set[str] = set()
    while names:
        name = canonicalize_name(names.pop())
        found = next(iter(metadata.distributions(name=name)), None)
        if name in seen or found is None:
            continue
        seen.add(name)
        needed = [Requirement(line) for line in found.requires or []]
        names += [each.name for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})]
        yield found


def test_what_a_service_installs_is_known() -> None:
    """Neither a package nor a command of the environment that a service makes can be its name."""
    refused = words.STANDARD_LIBRARY | words.INSTALLED_PACKAGES | words.COMMANDS | words.PROJECT_FOLDERS
    modules = metadata.packages_distributions()
    for each in installed(["litgen-runtime", "httpx", "mypy", "pytest", "ruff", "hatchling", "numpy", "torch"]):
        name = each.metadata["Name"]
        names = {module for module, owners in modules.items() if name in owners}
        names |= {entry.name.replace("-", "_") for entry in each.entry_points if entry.group == "console_scripts"}
        assert {word for word in names if NAME.fullmatch(word)} <= refused, name


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
