"""What an owner does to the files of a project, each deed small, and harmless where it does not apply.

Every line that is written holds a token of its own, so that it can be looked for afterwards. Content is bytes: an
owner's files are in any encoding, or in none.
"""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.fuzz import toml_edits

_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_PLAIN = {".md", ".txt", ""}


class Edit(NamedTuple):
    """One deed.

    Args:
        kind: A key of `DEEDS`.
        path: The file or folder that it is done to.
        at: Where in the file, from 0 (its top) to 1 (its end).
        token: What marks what is written.
        what: What else the deed needs, such as where a file is moved to.
    """

    kind: str
    path: str
    at: float = 0.0
    token: str = ""
    what: str = ""


def do(project: Path, edit: Edit) -> None:
    """Do it, if it can be done there."""
    DEEDS[edit.kind](project, edit)


def _lines(place: Path) -> list[bytes]:
    if place.is_symlink() or not place.is_file():
        return []
    return _LINE.findall(place.read_bytes())


def _own(edit: Edit, end: bytes = b"\n") -> bytes:
    """A line of the owner's, a comment where that is what keeps the file good."""
    mark = b"" if Path(edit.path).suffix in _PLAIN and not Path(edit.path).name.startswith((".", "M", "D")) else b"# "
    words = {"latin-1": b"caf\xe9 ", "invalid": b"\xff\xfe\x80 ", "long": b"long " * 300, "umlaut": "Größe → ".encode()}
    return mark + words.get(edit.what, b"mine ") + edit.token.encode() + end


def _insert(project: Path, edit: Edit) -> None:
    place = project / edit.path
    lines = _lines(place)
    if not lines:
        return
    index = round(edit.at * len(lines))
    end = b"\r\n" if lines[0].endswith(b"\r\n") else b"\n"
    if index == len(lines) and not lines[-1].endswith(b"\n"):
        lines[-1] += end
    place.write_bytes(b"".join([*lines[:index], _own(edit, end), *lines[index:]]))


def _change(project: Path, edit: Edit) -> None:
    place = project / edit.path
    lines = _lines(place)
    if not lines:
        return
    index = min(round(edit.at * len(lines)), len(lines) - 1)
    text = lines[index].rstrip(b"\r\n")
    end = lines[index][len(text) :]
    lines[index] = (_own(edit, b"") if edit.what == "whole" else text + b"  # " + edit.token.encode()) + end
    place.write_bytes(b"".join(lines))


def _delete_lines(project: Path, edit: Edit) -> None:
    place = project / edit.path
    lines = _lines(place)
    if lines:
        index = min(round(edit.at * len(lines)), len(lines) - 1)
        place.write_bytes(b"".join(lines[:index] + lines[index + int(edit.what) :]))


def _rewrite(change: Callable[[bytes], bytes]) -> Callable[[Path, Edit], None]:
    def deed(project: Path, edit: Edit) -> None:
        place = project / edit.path
        if _lines(place):
            place.write_bytes(change(place.read_bytes()))

    return deed


def _crlf(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _utf16(content: bytes) -> bytes:
    return content.decode("utf-8", "replace").encode("utf-16")


def _program(project: Path, edit: Edit) -> None:
    place = project / edit.path
    if place.is_file() and not place.is_symlink():
        place.chmod(place.stat().st_mode ^ 0o111)


def _move(project: Path, edit: Edit) -> None:
    source, target = project / edit.path, project / edit.what
    inside = target.is_relative_to(source) or any(each.is_symlink() or each.is_file() for each in target.parents)
    if os.path.lexists(source) and not os.path.lexists(target) and not inside:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)


def _delete(project: Path, edit: Edit) -> None:
    place = project / edit.path
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _add(project: Path, edit: Edit) -> None:
    place = project / edit.path
    blocked = any(each.is_symlink() or each.is_file() for each in place.parents)
    if blocked or os.path.lexists(place):
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    like = project / edit.what if edit.what else None
    before = like.read_bytes() if like and like.is_file() else b""
    place.write_bytes(before + b"mine %s\n" % edit.token.encode())


def _link(project: Path, edit: Edit) -> None:
    """A file or folder goes elsewhere and a link stands in its place; a dangling one if it goes nowhere."""
    source = project / edit.path
    if not os.path.lexists(source) or source == project:
        return
    if edit.what:
        _move(project, edit)
        if not os.path.lexists(source):
            source.symlink_to(os.path.relpath(project / edit.what, source.parent))
    elif not source.is_dir():
        source.unlink()
        source.symlink_to(f"nowhere/{edit.token}")


def _turn(project: Path, edit: Edit) -> None:
    """A file becomes a folder, a folder a file."""
    place = project / edit.path
    if not os.path.lexists(place):
        return
    was_folder = place.is_dir() and not place.is_symlink()
    _delete(project, edit)
    own = place if was_folder else place / "inside.txt"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_bytes(b"mine %s\n" % edit.token.encode())


def _toml(project: Path, edit: Edit) -> None:
    place = project / "service.toml"
    if _lines(place):
        place.write_bytes(toml_edits.edited(place.read_bytes(), edit.path, edit.at, edit.token, edit.what))


DEEDS: dict[str, Callable[[Path, Edit], None]] = {
    "insert": _insert,
    "change": _change,
    "delete lines": _delete_lines,
    "crlf": _rewrite(_crlf),
    "mixed ends": _rewrite(lambda content: content.replace(b"\n", b"\r\n", content.count(b"\n") // 2)),
    "no end": _rewrite(lambda content: content.rstrip(b"\r\n")),
    "mark": _rewrite(lambda content: b"\xef\xbb\xbf" + content),
    "utf-16": _rewrite(_utf16),
    "program": _program,
    "move": _move,
    "delete": _delete,
    "add": _add,
    "link": _link,
    "turn": _turn,
    "toml": _toml,
}
"""Every kind of deed."""
