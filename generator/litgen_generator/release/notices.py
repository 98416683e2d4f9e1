"""What each version changed: its notes, and what has to be known before it is deployed.

The notes of a release lie beside its bundle, as `vX.Y.Z.md`. Those of a development version are, in a checkout, what
the changelog says is unreleased, and in a wheel a file that its build wrote.
"""

from dataclasses import dataclass

from litgen_generator.errors import LitgenError
from litgen_generator.release import carried, changelog, current
from litgen_generator.release.source import Source


@dataclass(frozen=True)
class Notice:
    """What an owner has to know before deploying a version.

    Args:
        version: Its tag.
        text: Markdown, without a heading.
    """

    version: str
    text: str


def notes(tag: str) -> str:
    """The notes of a version that this litgen has, in Markdown.

    Raises:
        LitgenError: If they are missing.
    """
    source = Source.of_checkout()
    if source is not None and not carried.is_released(tag):
        return changelog.unreleased((source.root / changelog.FILE).read_text(encoding="utf-8"))
    path = current.CARRIED / f"{tag}.md"
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LitgenError(
            f"{path} is missing; expected the installation to hold what changed in {tag}. "
            "Install litgen-generator again."
        ) from None


def between(old_tag: str, new_tag: str) -> list[Notice]:
    """What has to be known before a service goes from one version to another, oldest version first.

    Args:
        old_tag: The version that is deployed; its own notice is not among them.
        new_tag: The version to deploy, which this litgen has; it may be another build of the same development version.
    """
    old, new = carried.order(old_tag), carried.order(new_tag)
    passed = (each.tag for each in carried.versions() if old < carried.order(each.tag) <= new)
    tags = [*passed] if old != new or old_tag == new_tag else [new_tag]
    found = (Notice(tag, changelog.before_you_deploy(notes(tag))) for tag in tags)
    return [notice for notice in found if notice.text]
