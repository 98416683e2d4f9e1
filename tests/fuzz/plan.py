"""From a seed to a scenario: a project, what its owner does to it, and the command that follows."""

import difflib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litgen_generator.release.current import Template
from tests.fuzz.edits import Edit
from tests.fuzz.toml_edits import VALUES
from tests.workshop import Tree, Workshop

_PYTHON = {"name": "rank", "framework": "python", "kind": "single"}
ANSWERS: tuple[Mapping[str, Any], ...] = (
    {"service_name": "my-svc", "endpoints": [{"name": "embed"}, _PYTHON]},
    {"service_name": "my-svc", "endpoints": [_PYTHON], "deployment": "docker", "shutdown_api": True},
    {"service_name": "x", "endpoints": [_PYTHON, {"name": "says", "framework": "python", "kind": "stream"}]},
    {
        "service_name": "x",
        "endpoints": [{**_PYTHON, "kind": "batch", "input": "upload", "jobs": True}],
        "ci": "none",
        "webhooks": True,
    },
)
"""What projects are made from; few, so that renders are shared."""

SETTINGS = (
    ("drain_timeout_s=60",),
    ("deployment=docker", "ci=none"),
    ("deployment=kubernetes", "shutdown_api=true"),
    ("python_version=3.12",),
    ("description=Another one.",),
    ("rank.devices=cpu", "rank.timeout_s=5"),
    ("rank.kind=stream",),
    ("rank.input=bytes", "rank.path=/v2/rank"),
    ("rank.queue_max_size=7",),
    ("service_name=renamed",),
    ("rank.framework=torch",),
    ("rank.jobs=true",),
    ("rank.jobs=false", "webhooks=false"),
    ("rank.jobs=true", "webhooks=true"),
)
ENDPOINTS = (
    "name=added,framework=python",
    "name=added,kind=single,jobs=true",
    "name=says_2,kind=stream,framework=python",
)

NAMES = (
    "plain.txt",
    "with space.md",
    'quo"te.txt',
    "new\nline.txt",
    "tab\there.txt",
    "-dash",
    "--force",
    "Größe.txt",
    "文字/🦊.py",
    "inv\udcff\udcfealid.txt",
    "back\\slash.txt",
    ".hidden",
    " leading and trailing ",
    "$(touch x).txt",
    "a/b/c/d/deep.py",
    "src/mine.py",
    "deploy/mine.yaml",
    "deploy/kubernetes/mine.yaml",
    ".github/workflows/mine.yml",
    "README.md~",
    "var/ignored.log",
    "*.txt",
    ":(top)x",
)

_WEIGHTS = {
    "insert": 12,
    "change": 7,
    "delete lines": 5,
    "crlf": 1,
    "mixed ends": 1,
    "no end": 1.5,
    "mark": 0.7,
    "utf-16": 0.5,
    "program": 1.5,
    "move": 4,
    "delete": 2.5,
    "add": 4,
    "link": 1.5,
    "turn": 0.8,
    "toml": 12,
}
_HARMLESS = {"insert": 8, "add": 4, "program": 1, "toml": 10, "no end": 1}
_TOML = ("value",) * 4 + (
    *("comment", "comment", "remark", "reword", "key", "endpoint", "reorder"),
    *("remove key", "remove table", "inline", "quote", "rename endpoint", "broken"),
)
_HARMLESS_TOML = ("value", "value", "comment", "remark", "reorder", "inline", "quote")
_KEYS = (
    "service.max_connections=100",
    "endpoints.rank.run_limit_s=20",
    "endpoints.rank.repeatable=false",
    "endpoints.rank.jobs=true",
)


@dataclass(frozen=True)
class Scenario:
    """What is done, in this order.

    Args:
        seed: It is made from.
        tag: The version that the project is made by.
        answers: What it is made from.
        edits: What the owner does.
        committed: How many of the edits, the first ones, are committed.
        staged: How many of the others, the first ones, are staged.
        nested: Whether the project is a folder of a larger repository.
        command: What is typed then.
    """

    seed: int
    tag: str
    answers: Mapping[str, Any]
    edits: tuple[Edit, ...]
    committed: int
    staged: int
    nested: bool
    command: tuple[str, ...]

    def told(self) -> str:
        """The scenario for a person."""
        steps = [f"  {edit.kind}: {edit.path!r} at {edit.at:.3f} {edit.token} {edit.what!r}" for edit in self.edits]
        git = f"first {self.committed} committed, next {self.staged} staged{', in a subfolder' if self.nested else ''}"
        return "\n".join([f"{self.tag} {dict(self.answers)}; {git}", *steps, f"  litgen {' '.join(self.command)}"])


def scenario(seed: int, shop: Workshop, *, harmless: bool = False) -> Scenario:
    """The scenario of a seed.

    Args:
        seed: Any number.
        shop: Where projects are made.
        harmless: Only edits after which the service still works.
    """
    rng = random.Random(seed)
    versions = shop.versions()
    at = min(rng.randrange(len(versions) + 1), len(versions) - 1) if harmless else rng.randrange(len(versions))
    old = versions[at]
    answers = shop.accepted(old, rng.choice(ANSWERS))
    command = _command(rng, versions[at:], answers)
    planner = _Planner(rng, seed, shop.tree(old, answers), _aims(shop, old, versions, command, answers))
    edits = planner.edits(rng.choice((1, 2, 3, 5, 8)), harmless=harmless)
    committed = rng.randrange(len(edits) + 1)
    staged = rng.randrange(len(edits) - committed + 1)
    return Scenario(seed, old.tag, answers, edits, committed, staged, rng.random() < 0.15, command)


def _command(rng: random.Random, versions: Sequence[Template], answers: Mapping[str, Any]) -> tuple[str, ...]:
    names = [each["name"] for each in answers["endpoints"]]
    kind = rng.choices(("update", "add", "set", "remove"), (6, 2, 3, 1))[0]
    if kind == "update":
        return "update", "--to", rng.choice(versions[1:] or versions).tag
    if kind == "add":
        return "add-endpoint", "--endpoint", rng.choice(ENDPOINTS)
    if kind == "set":
        return "set", *rng.choice(SETTINGS)
    return "remove-endpoint", rng.choice(names)


def _aims(
    shop: Workshop, old: Template, versions: Sequence[Template], command: Sequence[str], answers: Mapping[str, Any]
) -> dict[str, list[float]]:
    """Where the template changes files: there it is worth to edit. Files that it adds or deletes have no places."""
    template = next((each for each in versions if each.tag == command[-1]), versions[-1])
    before, after = shop.tree(old, answers), shop.tree(template, answers)
    found: dict[str, list[float]] = {}
    for path in before.keys() | after.keys():
        if before.get(path) == after.get(path) or path.startswith((".litgen", "vendor/litgen")):
            continue
        found[path] = []
        if path in before and path in after:
            lines, new = (side[path].content.splitlines() for side in (before, after))
            for tag, start, stop, _, _ in difflib.SequenceMatcher(None, lines, new, autojunk=False).get_opcodes():
                if tag != "equal":
                    found[path] += [place / len(lines) for place in (start - 1, start, stop, stop + 1)]
    return found


class _Planner:
    """Makes up edits of the files of `tree`, many of them where `aims` says."""

    def __init__(self, rng: random.Random, seed: int, tree: Tree, aims: Mapping[str, list[float]]) -> None:
        self._rng, self._seed, self._aims = rng, seed, aims
        self._paths = sorted(path for path in tree if not path.startswith((".litgen", "vendor/", ".copier")))
        self._moved: list[str] = []
        self._count = 0

    def edits(self, count: int, *, harmless: bool) -> tuple[Edit, ...]:
        """Some edits."""
        weights = _HARMLESS if harmless else _WEIGHTS
        kinds = self._rng.choices(list(weights), list(weights.values()), k=count)
        return tuple(self._edit(kind, harmless=harmless) for kind in kinds)

    def _edit(self, kind: str, *, harmless: bool) -> Edit:
        self._count += 1
        token = f"tok{self._seed}x{self._count}x"
        rng = self._rng
        if kind == "toml":
            toml = rng.choice(_HARMLESS_TOML if harmless else _TOML)
            return Edit(kind, toml, rng.choice((0.0, 1.0, rng.random(), rng.random())), token, self._toml(toml))
        path = self._path(harmless=harmless)
        if kind == "add":
            like = rng.choice(("", "", path)) if not harmless else ""
            fresh = [aim for aim in sorted(self._aims) if aim not in self._paths]
            return Edit(kind, rng.choice(fresh or NAMES) if rng.random() < 0.2 else rng.choice(NAMES), 0, token, like)
        if kind in ("move", "link", "delete", "turn") and rng.random() < 0.3 and "/" in path:
            path = path.rpartition("/")[0]
        return Edit(kind, path, self._at(path), token, self._what(kind, path, harmless=harmless))

    def _path(self, *, harmless: bool) -> str:
        rng = self._rng
        if not harmless and rng.random() < 0.03:
            return rng.choice((".copier-answers.yml", ".litgen/template.bundle"))
        aimed = [path for path in sorted(self._aims) if path in self._paths]
        pools = [self._paths, aimed or self._paths, aimed or self._paths, self._moved or self._paths]
        pool = rng.choice(pools)
        return rng.choice(pool)

    def _at(self, path: str) -> float:
        rng = self._rng
        return min(1.0, max(0.0, rng.choice((0.0, 1.0, rng.random(), *(self._aims.get(path) or [rng.random()])))))

    def _what(self, kind: str, path: str, *, harmless: bool) -> str:
        rng = self._rng
        if kind == "insert":
            words = ["", "", "long", "umlaut", *([] if harmless else ["latin-1", "invalid"])]
            return rng.choice(words)
        if kind == "change":
            return rng.choice(("", "whole"))
        if kind == "delete lines":
            return str(rng.choice((1, 1, 2, 5, 20)))
        if kind in ("move", "link"):
            folder, slash, name = path.rpartition("/")
            beside = f"{folder}{slash}moved {name}"
            target = rng.choice((beside, f"elsewhere/{name}", rng.choice(NAMES)))
            self._moved.append(target)
            return "" if kind == "link" and rng.random() < 0.4 else target
        return ""

    def _toml(self, kind: str) -> str:
        rng = self._rng
        if kind == "value":
            key = rng.choice(sorted(VALUES))
            return f"{key}={rng.choice(VALUES[key])}"
        return rng.choice(_KEYS) if kind == "key" else rng.choice(("dotted", "inline"))
