"""What an owner does to service.toml: values, comments, tables and spellings, in a file that stays TOML."""

import re
import tomllib
from collections.abc import Callable
from typing import TypeVar

VALUES = {
    "drain_timeout_s": ("45.0", "120", "0.5"),
    "delay_s": ("5.0", "2"),
    "api": ("true", "false"),
    "port": ("9001",),
    "host": ('"127.0.0.1"',),
    "timeout_s": ("7.5", "false", "12"),
    "devices": ('"cpu"', "'cpu'"),
    "per_device": ("2", "1"),
    "max_size": ("8", "2_000", "0x10"),
    "max_wait_s": ("0.01", "1e-3"),
    "max_json_bytes": ('"20MB"',),
    "path": ('"/own/path"',),
    "jobs": ("false",),
    "keep_s": ("3_600",),
    "secrets": ('"file:secrets"', "false"),
}
"""What an owner may set, in TOML's words, good for every version; few, so that renders are shared."""

T = TypeVar("T")

_HEADER = re.compile(r"^\[[^\[\]\n]+\]", re.MULTILINE)
_KEY = re.compile(r"^(\w+)\s*=", re.MULTILINE)


def edited(content: bytes, kind: str, at: float, token: str, what: str) -> bytes:
    """The file after an edit of a kind of `KINDS`; as it was where that cannot be done, or would be no TOML."""
    try:
        text = content.decode("utf-8")
        new = KINDS[kind](text, at, token, what)
        if kind != "broken":
            tomllib.loads(new.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return content
    return new.encode("utf-8")


def _value(text: str, at: float, token: str, what: str) -> str:
    """Give a key another value."""
    key, _, value = what.partition("=")
    found = list(re.finditer(rf"^{key}\s*=\s*([^#\n]*?)(?=\s*(#|$))", text, re.MULTILINE))
    if not found:
        return text
    chosen = _nth(found, at)
    return text[: chosen.start(1)] + value + text[chosen.end(1) :]


def _comment(text: str, at: float, token: str, what: str) -> str:
    """Write a comment line anywhere, also at the ends."""
    lines = text.split("\n")
    index = round(at * len(lines))
    return "\n".join([*lines[:index], f"# mine {token}", *lines[index:]])


def _remark(text: str, at: float, token: str, what: str) -> str:
    """Write a comment behind a line."""
    lines = text.split("\n")
    index = min(round(at * len(lines)), len(lines) - 1)
    end = "\r" if lines[index].endswith("\r") else ""
    lines[index] = f"{lines[index].removesuffix(end) if end else lines[index]}  # mine {token}{end}"
    return "\n".join(lines)


def _reword(text: str, at: float, token: str, what: str) -> str:
    """Put words of one's own in the place of a comment of the template's."""
    found = list(re.finditer(r"#[^\n]*", text))
    chosen = _nth(found, at) if found else None
    return f"{text[: chosen.start()]}# mine {token}{text[chosen.end() :]}" if chosen else text


def _key(text: str, at: float, token: str, what: str) -> str:
    """Add a key that the runtime knows and the template does not write."""
    key, _, value = what.partition("=")
    table = f"[{key.rpartition('.')[0]}]\n"
    return text.replace(table, f"{table}{key.rpartition('.')[2]} = {value} # mine {token}\n", 1)


def _endpoint(text: str, at: float, token: str, what: str) -> str:
    """Add an endpoint by hand, somewhere."""
    name = f"by_hand_{token}"
    table = (
        f'[endpoints.{name}] # mine {token}\nhandler = "mine:Handler"\nrequest = "mine:Asked"\n'
        f'response = "mine:Given"\npath = "/{name}"\n\n'
    )
    starts = [found.start() for found in _HEADER.finditer(text)] + [len(text)]
    place = _nth(starts, at)
    return text[:place] + ("\n" if place == len(text) and not text.endswith("\n") else "") + table + text[place:]


def _reorder(text: str, at: float, token: str, what: str) -> str:
    """Move a table elsewhere."""
    starts = [found.start() for found in _HEADER.finditer(text)]
    pieces = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    if not pieces:
        return text
    moved = pieces.pop(min(int(at * len(pieces)), len(pieces) - 1))
    pieces.insert(len(token) % (len(pieces) + 1), moved if moved.endswith("\n") else f"{moved}\n")
    return text[: starts[0]] + "".join(pieces)


def _remove_key(text: str, at: float, token: str, what: str) -> str:
    """Remove a line that gives a value."""
    found = list(re.finditer(r"^\w+\s*=[^\n]*\n", text, re.MULTILINE))
    chosen = _nth(found, at) if found else None
    return text[: chosen.start()] + text[chosen.end() :] if chosen else text


def _remove_table(text: str, at: float, token: str, what: str) -> str:
    """Remove a table with all in it."""
    starts = [found.start() for found in _HEADER.finditer(text)]
    if not starts:
        return text
    index = min(int(at * len(starts)), len(starts) - 1)
    return text[: starts[index]] + text[[*starts, len(text)][index + 1] :]


def _inline(text: str, at: float, token: str, what: str) -> str:
    """Spell a table of an endpoint in one line, or as dotted keys, in the table above."""
    pattern = re.compile(r"\n\[(endpoints\.\w+)\.(\w+)\]\n((?:\w+\s*=[^\n]*\n)+)")
    found = list(pattern.finditer(text))
    if not found:
        return text
    chosen = _nth(found, at)
    pairs = [line.partition("#")[0].strip() for line in chosen[3].splitlines()]
    name = chosen[2]
    spelled = f"{name} = {{ {', '.join(pairs)} }} # mine {token}\n"
    if what == "dotted":
        spelled = f"# mine {token}\n" + "".join(f"{name}.{pair}\n" for pair in pairs)
    rest = text[: chosen.start()] + "\n" + text[chosen.end() :]
    return rest.replace(f"[{chosen[1]}]\n", f"[{chosen[1]}]\n{spelled}", 1)


def _quote(text: str, at: float, token: str, what: str) -> str:
    """Write a key in quotes."""
    found = list(_KEY.finditer(text))
    chosen = _nth(found, at) if found else None
    return f'{text[: chosen.start(1)]}"{chosen[1]}"{text[chosen.end(1) :]}' if chosen else text


def _rename_endpoint(text: str, at: float, token: str, what: str) -> str:
    """Give an endpoint another name, by hand."""
    names = sorted(set(re.findall(r"^\[endpoints\.(\w+)\]", text, re.MULTILINE)))
    return re.sub(rf"\[endpoints\.{_nth(names, at)}\b", f"[endpoints.renamed_{token}", text) if names else text


def _nth(found: list[T], at: float) -> T:
    return found[min(int(at * len(found)), len(found) - 1)]


KINDS: dict[str, Callable[[str, float, str, str], str]] = {
    "value": _value,
    "comment": _comment,
    "remark": _remark,
    "reword": _reword,
    "key": _key,
    "endpoint": _endpoint,
    "reorder": _reorder,
    "remove key": _remove_key,
    "remove table": _remove_table,
    "inline": _inline,
    "quote": _quote,
    "rename endpoint": _rename_endpoint,
    "broken": lambda text, at, token, what: f"{text}\nthis is {token} no TOML\n",
}
"""Every kind of edit: from the text, where (0 to 1), a token, and what else it needs."""
