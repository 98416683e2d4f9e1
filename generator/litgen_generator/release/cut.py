"""A release, cut: its bundle and its notes written, the version set everywhere, the changelog's section named."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from litgen_generator import git
from litgen_generator.errors import LitgenError, UsageError
from litgen_generator.release import bundle, changelog
from litgen_generator.release.source import RELEASES, VERSION_FILES, Source

VERSIONED = (*VERSION_FILES, bundle.VERSION_FILE)
"""The files that name the version."""

_RELEASE = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_DEVELOPMENT = re.compile(r"\d+\.\d+\.\d+\.dev\d+")


def set_version(root: Path, version: str) -> None:
    """Write a version into every file that holds it."""
    for path in VERSION_FILES:
        text = (root / path).read_text(encoding="utf-8")
        changed = re.sub(r'^__version__ = ".*"$', f'__version__ = "{version}"', text, flags=re.MULTILINE)
        (root / path).write_text(changed, encoding="utf-8")
    question = root / bundle.VERSION_FILE
    changed = bundle.with_version(question.read_text(encoding="utf-8"), f"{version}+vendored")
    question.write_text(changed, encoding="utf-8")


def cut(root: Path, version: str) -> Path | None:
    """Make the sources those of `version`.

    Args:
        root: A checkout.
        version: `X.Y.Z` to release it, `X.Y.Z.devN` to begin working towards it.

    Returns:
        The release's bundle, or None for a version that is being worked towards.

    Raises:
        LitgenError: If it was released before, holds a file that git does not track, or is a patch release that
            changes more than the runtime. Then no file is changed.
    """
    if _DEVELOPMENT.fullmatch(version):
        set_version(root, version)
        return None
    if not _RELEASE.fullmatch(version):
        raise UsageError(
            f"VERSION is {version!r}; expected X.Y.Z, or X.Y.Z.devN to begin working towards it. "
            "Write it as: make release VERSION=0.1.0"
        )
    target = root / RELEASES / f"v{version}.bundle"
    if target.exists():
        raise LitgenError(f"{version} was released already; expected a new version. Choose a higher one.")
    _check_tracked(Source(root))
    history, notes = root / changelog.FILE, target.with_suffix(".md")
    with _restored_on_failure(*(root / path for path in VERSIONED), history, notes, target):
        set_version(root, version)
        text, section = changelog.released(
            history.read_text(encoding="utf-8"), version, f"{datetime.now(UTC):%Y-%m-%d}"
        )
        history.write_text(text, encoding="utf-8")
        notes.write_text(section, encoding="utf-8")
        bundle.build(Source(root), target)
        _check_patch(root / RELEASES, version)
    return target


def _check_tracked(source: Source) -> None:
    """Refuse what only this machine has: a clone would give the release's version to other sources."""
    tracked = git.run("ls-files", "-z", cwd=source.root, env=git.neutral_environment()).split("\0")
    strays = sorted(set(source.files()).difference(tracked))
    if strays:
        raise LitgenError(
            f"git does not track {', '.join(strays)}; expected a release to hold only what is committed with it. "
            "Add or remove them."
        )


def _check_patch(releases: Path, version: str) -> None:
    """Hold the promise that a patch release changes only the runtime's wheel and its pin."""
    before = _previous_patch(releases, version)
    if before is None:
        return
    old, new = _template(releases / f"v{before}.bundle"), _template(releases / f"v{version}.bundle")
    changed = sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
    if changed:
        raise LitgenError(
            f"{version} is a patch release, yet it changes {', '.join(changed)} since {before}; expected only the "
            "runtime to change. Release it as a minor version."
        )


def _previous_patch(releases: Path, version: str) -> str | None:
    major, minor, patch = _numbers(version)
    patches = [
        number[2]
        for path in releases.glob(f"v{major}.{minor}.*.bundle")
        if (number := _numbers(path.name.removeprefix("v").removesuffix(".bundle")))[2] < patch
    ]
    return f"{major}.{minor}.{max(patches)}" if patches else None


def _numbers(version: str) -> tuple[int, int, int]:
    major, minor, patch = map(int, version.split("."))
    return major, minor, patch


def _template(path: Path) -> dict[str, str]:
    """The git entry of each file in a bundle, apart from the runtime's wheel and its version."""
    with tempfile.TemporaryDirectory(prefix="litgen-release-") as folder:
        env, clone = git.neutral_environment(), Path(folder)
        git.run("clone", "--quiet", "--bare", path, clone, cwd=clone, env=env)
        listed = git.run("ls-tree", "-r", "-z", "HEAD", cwd=clone, env=env)
    entries = (entry.partition("\t") for entry in listed.split("\0") if entry)
    return {
        name: entry
        for entry, _, name in entries
        if name != bundle.VERSION_FILE and not (name.startswith(bundle.VENDOR) and name.endswith(".whl"))
    }


@contextmanager
def _restored_on_failure(*paths: Path) -> Iterator[None]:
    before = {path: path.read_bytes() if path.exists() else None for path in paths}
    try:
        yield
    except BaseException:
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
        raise
