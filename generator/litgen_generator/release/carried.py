"""Every version of the template that this litgen has: the releases and, in development, the version to come."""

import re

from litgen_generator.errors import LitgenError
from litgen_generator.release import current
from litgen_generator.release.current import Template

_TAG = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:\.dev(\d+))?(?:\+.*)?")


def order(tag: str) -> tuple[float, ...]:
    """What tags are sorted by; builds of one development version are equal, and come before its release.

    Raises:
        ValueError: If it is no tag of litgen's.
    """
    found = _TAG.fullmatch(tag)
    if found is None:
        raise ValueError(f"{tag!r} is no version of litgen's; expected vX.Y.Z")
    *numbers, development = found.groups()
    return (*map(int, numbers), float("inf") if development is None else int(development))


def is_released(tag: str) -> bool:
    """Whether a tag is that of a release rather than of a development version."""
    return order(tag)[-1] == float("inf")


def versions() -> list[Template]:
    """All versions, oldest first; a development version is the last.

    Raises:
        LitgenError: If the template of this very version is missing or not what was released.
    """
    paths = current.CARRIED.glob("v*.bundle")
    found = [Template(path, path.name.removesuffix(".bundle")) for path in paths]
    releases = sorted((each for each in found if is_released(each.tag)), key=lambda each: order(each.tag))
    newest = current.current()
    return releases if is_released(newest.tag) else [*releases, newest]


def held(tag: str) -> Template | None:
    """The version with exactly this tag, if this litgen has it."""
    return next((each for each in versions() if each.tag == tag), None)


def template_of(tag: str) -> Template:
    """The version with a tag; `0.2.0` means `v0.2.0`.

    Raises:
        LitgenError: If this litgen does not have it.
    """
    wanted = f"v{tag.removeprefix('v')}"
    found = held(wanted)
    if found is None:
        listed = ", ".join(each.tag for each in versions())
        raise LitgenError(
            f"this litgen has no template {wanted}; expected one of {listed}. "
            "Choose one of them, or install a litgen that has it."
        )
    return found
