"""A list of files drawn as a tree."""

from collections.abc import Iterable
from pathlib import Path


def drawn(name: str, files: Iterable[Path]) -> str:
    """The tree below a folder, a line for each folder and file.

    Args:
        name: The folder's name.
        files: Paths relative to it.
    """
    below: dict[str, list[Path]] = {}
    for path in files:
        below.setdefault(path.parts[0], []).extend([Path(*path.parts[1:])] if len(path.parts) > 1 else [])
    lines = [f"{name}/" if below else name]
    for index, (child, paths) in enumerate(sorted(below.items())):
        is_last = index == len(below) - 1
        first, *rest = drawn(child, paths).splitlines()
        lines.append(f"{'└── ' if is_last else '├── '}{first}")
        lines += [f"{'    ' if is_last else '│   '}{line}" for line in rest]
    return "\n".join(lines)
