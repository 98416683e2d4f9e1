"""A generated project, as it is found on the disk."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import yaml

from litgen_generator import git
from litgen_generator.errors import LitgenError
from litgen_generator.release import bundle
from litgen_generator.release.carried import held, order
from litgen_generator.release.current import Template
from litgen_generator.render import BUNDLE

ANSWERS = ".copier-answers.yml"
"""Where a project keeps what it was made from."""

SETTINGS = "service.toml"
"""Where a service's owner makes the choices."""


@dataclass(frozen=True)
class Project:
    """A folder that litgen has made.

    Args:
        root: The folder, absolute.
        answers: What it was made from, without copier's own entries.
        tag: The version of the template that it was made by, such as "v0.1.0".
    """

    root: Path
    answers: Mapping[str, Any]
    tag: str

    @classmethod
    def find(cls, start: Path) -> Self:
        """The project that a folder is in.

        Raises:
            LitgenError: If it is in none, or in one whose answers cannot be read.
        """
        for folder in (start, *start.parents):
            if (folder / ANSWERS).is_file():
                return cls._read(folder)
        raise LitgenError(
            f"{start} is in no project of litgen; expected {ANSWERS} there or in a folder above. "
            "Go into a project, or make one: litgen new NAME"
        )

    @classmethod
    def _read(cls, root: Path) -> Self:
        place = root / ANSWERS
        check_is_no_link(place)
        try:
            known = yaml.safe_load(place.read_bytes())
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            said = " ".join(str(error).split())
            raise LitgenError(
                f"{place} is not YAML: {said}. Put back what litgen wrote: git checkout HEAD -- {ANSWERS}"
            ) from None
        tag = known.get("_commit") if isinstance(known, dict) else None
        if not isinstance(tag, str):
            raise LitgenError(
                f"{place} says no version (_commit) of a template; expected what litgen wrote. "
                f"Put it back: git checkout HEAD -- {ANSWERS}"
            )
        if "service_name" not in known:
            raise LitgenError(f"{place} is of another template; expected one that `litgen new` made. Go into that.")
        wrong = _wrong(tag, known)
        if wrong:
            raise LitgenError(
                f"{place}: {wrong}; expected what litgen wrote. Put it back: git checkout HEAD -- {ANSWERS}"
            )
        return cls(root, {key: value for key, value in known.items() if not key.startswith("_")}, tag)

    @cached_property
    def template(self) -> Template:
        """The version that it was made by: it carries that itself; if not, as after a merge of branches, litgen does.

        Raises:
            LitgenError: If nobody does, or the bundle is not there, or not as litgen wrote it.
        """
        place = self.root / BUNDLE
        content = place.read_bytes() if place.is_file() else None
        what = "missing" if content is None else "" if bundle.is_whole(content) else "damaged"
        if content is None or what:
            raise LitgenError(
                f"{place} is {what}; expected the template that the project was made from. "
                f"Put it back: git checkout HEAD -- {BUNDLE}"
            )
        if bundle.holds(content, self.tag):
            return Template(place, self.tag)
        found = held(self.tag)
        if found is None:
            raise LitgenError(
                f"{place} does not hold {self.tag}, the project's version, and this litgen has no copy; expected one "
                f"of the two. Find the commit that brought it: git log --oneline -- {BUNDLE}; then: "
                f"git checkout COMMIT -- {BUNDLE}. Or install a litgen that has it: pip install --upgrade "
                "litgen-generator"
            )
        return found

    @cached_property
    def package(self) -> str:
        """The name of its Python package."""
        return str(self.answers["service_name"]).replace("-", "_")

    @cached_property
    def state(self) -> Path:
        """Where litgen keeps what it needs to go on or back: beside git's own files, never in the tree.

        Raises:
            LitgenError: If the project is in no git repository.
        """
        git.require(git.OLDEST_TO_MERGE)
        if not any((folder / ".git").exists() for folder in (self.root, *self.root.parents)):
            raise LitgenError(
                f"{self.root} is in no git repository; expected one, so that no change is beyond recall. "
                "Make one: git init && git add --all && git commit -m 'As it is'"
            )
        folder, prefix = (
            git.output("rev-parse", what, cwd=self.root, env=git.owner_environment()).removesuffix(b"\n")
            for what in ("--absolute-git-dir", "--show-prefix")
        )
        return Path(os.fsdecode(folder), "litgen", quote(prefix.strip(b"/"), safe="") or "project")

    def copied_bundle(self, target: Path) -> Path:
        """Copy the bundle of its own version, so that nothing changes it meanwhile.

        Raises:
            LitgenError: If there is none.
        """
        return Path(shutil.copyfile(self.template.bundle, target))


def version_in(answers: bytes) -> str | None:
    """The version of the template that answers name, if they can be read."""
    try:
        known = yaml.safe_load(answers)
    except (yaml.YAMLError, UnicodeDecodeError):
        return None
    tag = known.get("_commit") if isinstance(known, dict) else None
    return tag if isinstance(tag, str) else None


def check_is_no_link(place: Path) -> None:
    """Make sure that what litgen reads and writes is a file of the project itself.

    Raises:
        LitgenError: If it is a link.
    """
    if place.is_symlink():
        raise LitgenError(
            f"{place} is a link to {place.readlink()}; expected a file, since litgen changes what stands there. "
            "Put the file in its place: nothing was changed."
        )


def _wrong(tag: str, known: Mapping[Any, Any]) -> str | None:
    """What is wrong with answers whose values are not judged yet, if anything is."""
    try:
        order(tag)
    except ValueError as error:
        return f"_commit: {error}"
    endpoints = known.get("endpoints")
    if not isinstance(endpoints, list) or not all(map(_is_named, endpoints)):
        return "endpoints is no list of endpoints with names"
    odd = next((key for key in known if not isinstance(key, str)), None)
    return None if odd is None else f"{odd!r} is no name of an answer"


def _is_named(endpoint: object) -> bool:
    return isinstance(endpoint, dict) and isinstance(endpoint.get("name"), str)
