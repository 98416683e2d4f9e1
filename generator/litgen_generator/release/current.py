"""Which template bundle a new project gets."""

from dataclasses import dataclass
from pathlib import Path

from litgen_generator._version import __version__
from litgen_generator.errors import LitgenError
from litgen_generator.release import bundle
from litgen_generator.release.source import RELEASES, Source

CARRIED = Path(__file__).resolve().parents[1] / "releases"
"""The bundles in an installed litgen: every release and, for an unreleased version, that one."""

CACHE = ".litgen-cache"
"""Where a checkout keeps the bundles that it builds; git ignores the folder."""


@dataclass(frozen=True)
class Template:
    """A bundle and the tag of the version in it."""

    bundle: Path
    tag: str


def current() -> Template:
    """The template of this version of litgen; in a checkout, the one that its sources give now.

    Raises:
        LitgenError: If the bundle is missing, or is a release whose sources have changed since.
    """
    source = Source.of_checkout()
    if source is None:
        return _carried()
    if source.is_released:
        return released(source)
    target = source.root / CACHE / f"{source.tag}.bundle"
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        (target.parent / ".gitignore").write_text("*\n", encoding="utf-8")
        bundle.build(source, target)
    return Template(target, source.tag)


def released(source: Source) -> Template:
    """The committed bundle of a released version, known to hold what its sources hold."""
    template = Template(source.root / RELEASES / f"{source.tag}.bundle", source.tag)
    if not template.bundle.is_file():
        raise LitgenError(
            f"{RELEASES}/{source.tag}.bundle is missing; expected it, since the version is {source.version}. "
            f"Build it with: make release VERSION={source.version}"
        )
    if bundle.source_digest(template.bundle) != source.digest:
        raise LitgenError(
            f"the template or the runtime has changed since {source.version} was released; expected a version "
            "of its own for that. Set one with: make release VERSION=X.Y.Z.dev0"
        )
    return template


def _carried() -> Template:
    pattern = f"v{__version__}+vendored.*.bundle" if ".dev" in __version__ else f"v{__version__}.bundle"
    found = next(CARRIED.glob(pattern), None)
    if found is None:
        raise LitgenError(
            f"the template of litgen {__version__} is missing from {CARRIED}; expected the installation to hold "
            "it. Install litgen-generator again."
        )
    return Template(found, found.name.removesuffix(".bundle"))
