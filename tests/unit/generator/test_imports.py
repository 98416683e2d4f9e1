"""What the generator's modules may import."""

import pytest

from tests.unit.test_architecture import FILES, imports, loaded, outside

GENERATOR = sorted(name for name in FILES if name.startswith("litgen_generator."))

ALLOWED: dict[str, set[str]] = {
    "_version": set(),
    "errors": set(),
    "interrupts": set(),
    "tree": set(),
    "git": {"errors"},
    "release": {"_version", "errors", "git"},
    "answers": {"errors", "release"},
    "staging": {"errors", "interrupts"},
    "render": {"errors", "git", "release"},
    "change": {"answers", "errors", "git", "interrupts", "release", "render", "staging"},
    "creation": {"answers", "errors", "git", "release", "render", "staging"},
    "wizard": {"answers"},
    "new_command": {"answers", "creation", "errors", "tree", "wizard"},
    "change_command": {"change", "errors", "git", "release", "render"},
    "add_command": {"answers", "change", "change_command", "errors", "release", "wizard"},
    "set_command": {"answers", "change", "change_command", "errors", "release"},
    "update_command": {"answers", "change", "change_command", "errors", "release", "wizard"},
    "status_command": {"change", "change_command", "errors", "release"},
    "template_command": {"change", "change_command", "errors", "git", "release", "render"},
    "versions_command": {"change", "errors", "release"},
    "cli": {
        *("_version", "answers", "change", "errors"),
        *("add_command", "change_command", "new_command", "set_command", "status_command", "update_command"),
        *("template_command", "versions_command", "render"),
    },
    "__main__": {"cli"},
}
"""From the bottom to the top, what each part may use besides itself."""


def part(module: str) -> str:
    """The part of the generator that a module belongs to."""
    return module.split(".")[1]


@pytest.mark.parametrize("module", GENERATOR)
def test_imports_point_downward(module: str) -> None:
    """Each part imports only what stands below it."""
    ours = {name for name in imports(module) if name.startswith("litgen_generator.")}
    assert {part(name) for name in ours} - {part(module)} <= ALLOWED[part(module)]


def test_a_build_needs_nothing_but_hatchling() -> None:
    """What builds the wheel runs where only the build's own requirements are installed."""
    modules = [name for name in GENERATOR if part(name) == "release"]
    assert outside(set().union(*map(imports, modules))) == {"hatchling"}
    assert outside(set().union(*map(loaded, modules))) == set()


def test_help_needs_nothing_but_click() -> None:
    """`litgen --help` answers at once."""
    assert outside(loaded("litgen_generator.cli")) == {"click"}
