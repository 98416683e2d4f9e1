"""CHANGELOG.md as text: its sections, and what a section says. Pure.

A section may begin with a sentence that sums it up, which `litgen versions` shows; its part `### Before you deploy`
says which behaviour changes for a service that only exchanges its runtime, and is shown before an update.
"""

import re

from litgen_generator.errors import LitgenError

FILE = "CHANGELOG.md"
UNRELEASED = "## Unreleased"
BEFORE_YOU_DEPLOY = "### Before you deploy"

_RELEASED = re.compile(r"Released on (\d{4}-\d{2}-\d{2})\.\n+")
_SENTENCE_END = re.compile(r"(?<=[.;:])\s|$")


def unreleased(changelog: str) -> str:
    """What stands under the heading of what is not released yet; empty if nothing does."""
    return changelog.partition(f"{UNRELEASED}\n")[2].partition("\n## ")[0].strip()


def released(changelog: str, version: str, date: str) -> tuple[str, str]:
    """Give what is not released yet the name of a version.

    Args:
        changelog: The changelog's text.
        version: As in `0.2.0`.
        date: As in `2026-11-21`.

    Returns:
        The new changelog, and the release's notes: its section without the heading, after a line with the date.

    Raises:
        LitgenError: If there is nothing to release.
    """
    section = unreleased(changelog)
    if not section:
        raise LitgenError(f"{FILE} has nothing under {UNRELEASED!r}; expected what changed. Write it there first.")
    changed = changelog.replace(UNRELEASED, f"{UNRELEASED}\n\n## {version} - {date}", 1)
    return changed, f"Released on {date}.\n\n{section}\n"


def released_on(notes: str) -> str | None:
    """The date in a release's notes; None for a version that is not released."""
    found = _RELEASED.match(notes)
    return found[1] if found else None


def before_you_deploy(notes: str) -> str:
    """The part of the notes that an owner has to know before a deployment; empty if there is none."""
    part = f"\n{notes}\n".partition(f"\n{BEFORE_YOU_DEPLOY}\n")[2]
    return re.split(r"^#", part, maxsplit=1, flags=re.MULTILINE)[0].strip()


def summary(notes: str) -> str:
    """The first words of the notes: the sentence that they begin with, or else their first point."""
    lines = (line for line in _RELEASED.sub("", notes, count=1).splitlines() if not line.startswith("#"))
    paragraphs = re.split(r"\n\s*\n|^- ", "\n".join(lines), flags=re.MULTILINE)
    first = next((" ".join(paragraph.split()) for paragraph in paragraphs if paragraph.strip()), "")
    return _SENTENCE_END.split(first, maxsplit=1)[0].rstrip(".;:")
