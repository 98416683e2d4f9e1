"""The runtime in the owner's pyproject.toml: its pin and its wheel are the template's, whatever stands beside them."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from litgen_generator.change.snapshot import entry_at
from litgen_generator.change.toml_edit import lookup
from litgen_generator.change.trees import Entry, Tree
from litgen_generator.release import bundle
from litgen_generator.release.carried import held

PYPROJECT = "pyproject.toml"
VENDOR = "vendor/"

_PIN = r"litgen-runtime==[^\"'\s;,]+"
_WHEEL = r"vendor/litgen_runtime-[^\"'/]+\.whl"
_PINNED = re.compile(r"litgen[-_.]runtime\s*==\s*([^\s;,]+)", re.IGNORECASE)
_BEHIND = r"(?=[\"'\s;,])"


def following(base: Tree, ours: Tree, theirs: Tree) -> tuple[dict[str, Entry], dict[str, Entry]]:
    """The base and the owner's side with the newer runtime in pyproject.toml, where the owner's has that of the base.

    Then nobody has changed it, and what the owner has written beside it is in nobody's way. A pin that the owner has
    changed is left as it is on both sides.
    """
    sides = {"base": dict(base), "ours": dict(ours)}
    if any(PYPROJECT not in side for side in (base, ours, theirs)):
        return sides["base"], sides["ours"]
    texts = {name: side[PYPROJECT].content for name, side in sides.items()}
    for pattern in (_PIN, _WHEEL):
        old, new = _tokens(pattern, base[PYPROJECT].content), _tokens(pattern, theirs[PYPROJECT].content)
        if len(old) != 1 or len(new) != 1:
            continue
        exact = re.compile(rb"([\"'])" + re.escape(old[0]) + _BEHIND.encode())
        changed = {name: _exchanged(exact, rb"\g<1>" + new[0], text) for name, text in texts.items()}
        if changed["ours"] != texts["ours"]:
            texts = changed
    for name, text in texts.items():
        sides[name][PYPROJECT] = sides[name][PYPROJECT]._replace(content=text)
    return sides["base"], sides["ours"]


def strays(root: Path, base: Tree, ours: Tree) -> dict[str, Entry]:
    """Wheels of other releases that lie in vendor/ and that pyproject.toml does not name, as after a merge of branches.

    Args:
        root: The project.
        base: What the template gave.
        ours: The owner's files.
    """
    named = ours[PYPROJECT].content if PYPROJECT in ours else b""
    found = {}
    for place in sorted((root / VENDOR).glob("litgen_runtime-*.whl")):
        version, entry = _version(place.name), entry_at(place)
        if VENDOR + place.name in base or place.name.encode() in named or version is None or entry is None:
            continue
        release = held(f"v{version.removesuffix('+vendored')}")
        if release and entry.content == bundle.file_in(release.bundle, release.tag, f"{bundle.VENDOR}/{place.name}"):
            found[VENDOR + place.name] = entry
    return found


def problem(root: Path) -> str | None:
    """What is wrong with the runtime that a project's pyproject.toml names: it is not in vendor/, or is another one."""
    try:
        known = tomllib.loads((root / PYPROJECT).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
    except tomllib.TOMLDecodeError as error:
        return f"{PYPROJECT} is not TOML: {error}. Correct it."
    pin = next((found[1] for each in _requirements(known) if (found := _PINNED.match(each))), None)
    wheel = lookup(known, ("tool", "uv", "sources", "litgen-runtime", "path"))
    there = [f"{VENDOR}{each.name}" for each in sorted((root / VENDOR).glob("litgen_runtime-*.whl"))]
    expected = " or ".join(f"{_version(each)} of {each}" for each in there) or "its wheel in vendor/"
    if isinstance(wheel, str) and not (root / wheel).is_file():
        return f"{PYPROJECT} names the runtime {wheel}, which is not there; expected {expected}"
    if pin and isinstance(wheel, str) and _version(wheel) not in (None, pin):
        return f"{PYPROJECT} pins litgen-runtime=={pin}, but names {wheel}; expected one version in both"
    return None


def _requirements(known: Mapping[str, Any]) -> list[str]:
    listed = lookup(known, ("project", "dependencies"))
    return [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []


def _version(wheel: str) -> str | None:
    found = re.search(r"litgen_runtime-([^-/]+)-", wheel)
    return found[1] if found else None


def _tokens(pattern: str, text: bytes) -> list[bytes]:
    """What is between quotes in lines that are no comments, each once."""
    found = re.findall((r"[\"'](" + pattern + ")" + _BEHIND).encode(), b"\n".join(_code(text)))
    return list(dict.fromkeys(found))


def _code(text: bytes) -> Iterator[bytes]:
    return (line for line in text.splitlines() if not line.lstrip().startswith(b"#"))


def _exchanged(exact: re.Pattern[bytes], new: bytes, text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join(line if line.lstrip().startswith(b"#") else exact.sub(new, line) for line in lines)
