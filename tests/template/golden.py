"""The examples, rendered again: ``python -m tests.template.golden [--write | --record]``.

Without an option it says which files differ. ``--write`` puts a fresh render, with the owner's edits, in the place of
what is committed; ``--record`` goes the other way, and takes the owner's edits of generated files from there into the
patch.
"""

import difflib
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from examples.overlay import Example, examples

_LEFT_OUT = re.compile(
    r"(^|/)(\.venv|__pycache__|\.\w+_cache|\.git|\.litgen|uv\.lock|\w+\.egg-info)(/|$)|^vendor/.*\.whl$"
)
_BUILD = re.compile(rb"(\.dev\d+\+vendored)\.[0-9a-f]{8}")


def fresh(example: Example, parent: Path, *, is_edited: bool = True) -> dict[str, bytes]:
    """Render an example and return its files, with the hash of an unreleased build taken out of its version."""
    project = example.render(parent, "--no-git")
    if is_edited:
        example.put_owners_files(project)
    files = committed(project)
    shutil.rmtree(project)
    return {name: _BUILD.sub(rb"\1", content) for name, content in files.items()}


def committed(folder: Path) -> dict[str, bytes]:
    """Return the files of a project by name, without what is built, installed or written by litgen's own machinery."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name: (folder / name).read_bytes() for name in sorted(names) if not _LEFT_OUT.search(name)}


def differences(example: Example, parent: Path) -> list[str]:
    """Return what a fresh render would change in the committed example, as lines of a diff."""
    new, old = fresh(example, parent), committed(example.folder)
    return [
        line
        for name in sorted(new.keys() | old.keys())
        if new.get(name) != old.get(name)
        for line in _diff(name, old.get(name, b""), new.get(name, b""), context=3)
    ]


def write(example: Example, parent: Path) -> None:
    """Replace what is committed by a fresh render with the owner's files and edits."""
    new = fresh(example, parent)
    for name in committed(example.folder).keys() - new.keys():
        (example.folder / name).unlink()
    for name, content in new.items():
        target = example.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def record(example: Example, parent: Path) -> None:
    """Take the owner's edits of generated files, as they are committed, into the example's patch."""
    render = fresh(example, parent, is_edited=False)
    edited = committed(example.folder)
    lines = [
        line
        for name in sorted(render.keys() & edited.keys() - set(example.files))
        if render[name] != edited[name]
        for line in _diff(name, render[name], edited[name], context=1)
    ]
    example.patch.write_text("".join(lines), encoding="utf-8")


def _diff(name: str, old: bytes, new: bytes, *, context: int) -> list[str]:
    before, after = (content.decode(errors="replace").splitlines(keepends=True) for content in (old, new))
    return list(difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", n=context))


def _report(example: Example, parent: Path) -> None:
    lines = differences(example, parent)
    if lines:
        click.echo("".join(lines))
        sys.exit(f"examples/{example.name} is not what litgen renders now. Make it so with: make examples")


_ACTIONS: dict[str, Callable[[Example, Path], None]] = {"--write": write, "--record": record, "--check": _report}


def main(action: str = "--check") -> None:
    """Do one thing for every example."""
    for name, example in examples().items():
        click.echo(f"examples/{name}")
        with tempfile.TemporaryDirectory() as parent:
            _ACTIONS[action](example, Path(parent))


if __name__ == "__main__":
    main(*sys.argv[1:])
