"""The template's own files: simple enough to read, and silent about where packages come from."""

import re
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).parents[2] / "template"
SOURCES = sorted(
    path
    for folder in ("project", "partials")
    for path in (TEMPLATE / folder).rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
)
STATEMENT = re.compile(r"{%[-+]?\s*(\w+)")
MAX_IFS = 3


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(TEMPLATE).as_posix())
def test_a_file_is_simple(path: Path) -> None:
    """At most three `if`, none inside another, no macros anywhere and no loops in Python."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".jinja":
        assert "{{" not in text.replace("${{", "")
        assert "{%" not in text
        return
    statements = STATEMENT.findall(text)
    assert statements.count("if") <= MAX_IFS
    assert "macro" not in statements
    assert not path.name.endswith(".py.jinja") or "for" not in statements
    depth = 0
    for statement in statements:
        depth += {"if": 1, "endif": -1}.get(statement, 0)
        assert depth <= 1


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(TEMPLATE).as_posix())
def test_no_package_index_is_named(path: Path) -> None:
    """Where packages and images come from is the owner's affair."""
    assert not re.search(
        r"pypi|pythonhosted|download\.pytorch|ghcr\.io|docker\.io|quay\.io|nvcr\.io", path.read_text(encoding="utf-8")
    )
