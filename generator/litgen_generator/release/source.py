"""The sources that a release is made of, and the version that their content gives them."""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

VERSION_FILES = ("generator/litgen_generator/_version.py", "runtime_lib/litgen_runtime/_version.py")
"""The two files that hold the one version."""

RELEASES = "generator/litgen_generator/releases"
"""Where the bundles of all releases are committed."""

_PARTS = ("copier.yml", "template", "runtime_lib")
_LEFT_OUT = re.compile(r"(^|/)(__pycache__|\.(mypy|pytest|ruff)_cache|\.DS_Store|build|dist|[^/]*\.egg-info)(/|$)")


@dataclass(frozen=True)
class Source:
    """A folder that holds copier.yml, template/ and runtime_lib/."""

    root: Path

    @classmethod
    def of_checkout(cls) -> Self | None:
        """The sources that this very module belongs to, or None where litgen was installed from a wheel."""
        root = Path(__file__).resolve().parents[3]
        return cls(root) if (root / "copier.yml").is_file() and (root / "runtime_lib").is_dir() else None

    def files(self, *parts: str) -> Iterator[str]:
        """All files of the parts (every part unless given), relative to the root, in a fixed order."""
        for part in parts or _PARTS:
            if (self.root / part).is_file():
                yield part
                continue
            found = (path for path in (self.root / part).rglob("*") if path.is_file())
            names = (path.relative_to(self.root).as_posix() for path in found)
            yield from sorted(name for name in names if not _LEFT_OUT.search(name))

    def is_executable(self, path: str) -> bool:
        """Whether a file's mode is to say that it can be run."""
        return os.access(self.root / path, os.X_OK)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that a release holds, in hex."""
        total = hashlib.sha256()
        for path in self.files():
            content = (self.root / path).read_bytes()
            total.update(f"{path}\0{self.is_executable(path):d}\0{len(content)}\0".encode())
            total.update(content)
        return total.hexdigest()

    @cached_property
    def version(self) -> str:
        """The one version of generator, template and runtime."""
        text = (self.root / VERSION_FILES[0]).read_text(encoding="utf-8")
        found = re.search(r'^__version__ = "(.+)"$', text, flags=re.MULTILINE)
        if found is None:
            raise ValueError(f"{VERSION_FILES[0]} holds no version")
        return found[1]

    @property
    def is_released(self) -> bool:
        """Whether the version is that of a release."""
        return ".dev" not in self.version

    @property
    def runtime_version(self) -> str:
        """The runtime wheel's version: for unreleased sources it changes with every byte of them."""
        return f"{self.version}+vendored" if self.is_released else f"{self.version}+vendored.{self.digest[:8]}"

    @property
    def tag(self) -> str:
        """The git tag of the release."""
        return f"v{self.version if self.is_released else self.runtime_version}"
