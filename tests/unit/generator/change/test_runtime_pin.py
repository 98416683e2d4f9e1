"""The runtime's pin and wheel follow the template, whatever stands beside them, and nothing else does."""

from pathlib import Path

import pytest

from litgen_generator.change import runtime_pin
from litgen_generator.change.merge import merge
from litgen_generator.change.trees import FILE, Entry, Tree, Trees

BASE = """\
[project]
name = "svc"
dependencies = [
    "litgen-runtime==0.1.0+vendored", # the wheel in vendor/; no package index has it
]

[tool.uv.sources]
litgen-runtime = { path = "vendor/litgen_runtime-0.1.0+vendored-py3-none-any.whl" }
"""
THEIRS = BASE.replace("0.1.0", "0.3.0")
PIN = '    "litgen-runtime==0.1.0+vendored", # the wheel in vendor/; no package index has it\n'
BOOKS = {".copier-answers.yml": Entry(FILE, b"_commit: v0.1.0\n")}


def tree(text: str) -> Tree:
    """A project of one file and its answers."""
    return {**BOOKS, "pyproject.toml": Entry(FILE, text.encode())}


def merged(tmp_path: Path, ours: str) -> tuple[str, int]:
    """The merged pyproject.toml, and how many conflicts there are."""
    done = merge(Trees(tmp_path / "trees"), tree(BASE), tree(ours), tree(THEIRS), "template v0.3.0")
    return done.after["pyproject.toml"].content.decode(), len(done.conflicts)


@pytest.mark.parametrize(
    "ours",
    [
        BASE.replace(PIN, PIN + '    "requests>=2",\n'),
        BASE.replace(PIN, '    "requests>=2",\n' + PIN),
        BASE.replace(PIN, PIN.partition(" #")[0] + "\n" + '    "requests>=2",\n'),
        BASE.replace(PIN, "    'litgen-runtime==0.1.0+vendored', 'requests',\n"),
        BASE + 'torch = { index = "cpu" }\n',
        BASE.replace("[tool.uv.sources]\n", '[tool.uv.sources]\ntorch = { index = "cpu" }\n'),
        BASE.replace("\n", "\r\n"),
        BASE.replace(PIN, PIN + '    "requests>=2",\n').replace("\n", "\r\n"),
    ],
)
def test_what_stands_beside_is_in_nobodys_way(tmp_path: Path, ours: str) -> None:
    """The owner's text with the newer version in it."""
    assert merged(tmp_path, ours) == (ours.replace("0.1.0", "0.3.0"), 0)


@pytest.mark.parametrize(
    "ours",
    [
        BASE.replace("litgen-runtime==0.1.0+vendored", "litgen-runtime>=0.1.0"),
        BASE.replace("litgen-runtime==0.1.0+vendored", "litgen-runtime==0.1.0+vendored.mine"),
        BASE.replace(PIN, f"#{PIN}" + '    "litgen-runtime @ file:///mine.whl",\n'),
        BASE.replace('"vendor/litgen_runtime-0.1.0+vendored-py3-none-any.whl"', '"mine/runtime.whl"'),
    ],
)
def test_a_pin_that_the_owner_has_changed_is_a_conflict(tmp_path: Path, ours: str) -> None:
    """It is the owner's to decide, and every line stays."""
    text, conflicts = merged(tmp_path, ours)
    assert conflicts == 1
    changed = set(ours.splitlines()) - set(BASE.splitlines())
    assert changed <= set(text.splitlines())


def test_a_comment_of_the_owners_stays_as_it_is(tmp_path: Path) -> None:
    """It tells of the old version."""
    note = '# "litgen-runtime==0.1.0+vendored" was the first\n'
    assert merged(tmp_path, note + BASE) == (note + THEIRS, 0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (THEIRS, None),
        (BASE, "vendor/litgen_runtime-0.1.0+vendored-py3-none-any.whl, which is not there"),
        (THEIRS.replace("==0.3.0", "==0.1.0"), "pins litgen-runtime==0.1.0+vendored"),
        ("[project", "not TOML"),
        ('[project]\ndependencies = ["litgen-runtime"]\n', None),
    ],
)
def test_a_runtime_that_is_not_there(tmp_path: Path, text: str, told: str | None) -> None:
    """It is said which one is named, and which one is there."""
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "litgen_runtime-0.3.0+vendored-py3-none-any.whl").touch()
    (tmp_path / "pyproject.toml").write_text(text)
    said = runtime_pin.problem(tmp_path)
    assert (said is None) if told is None else (said is not None and told in said)


def test_no_pyproject(tmp_path: Path) -> None:
    """An owner who has none has no runtime to be told of."""
    assert runtime_pin.problem(tmp_path) is None
