"""Puts the template's bundle, and its notes, into the wheel: from a checkout, an sdist or a source folder."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class TemplateBundleHook(BuildHookInterface[Any]):
    """Builds the bundle of an unreleased version and takes its notes from the changelog.

    Those of a release are committed, and the bundle is checked.
    """

    _scratch: Path | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the bundle of this version, unless the installation is to read the checkout itself."""
        if version == "editable":
            return
        sys.path.insert(0, str(Path(self.root, "generator")))
        from litgen_generator.release import bundle, changelog, current
        from litgen_generator.release.source import Source

        source = Source(Path(self.root))
        if source.is_released:
            current.released(source)
            return
        self._scratch = Path(tempfile.mkdtemp(prefix="litgen-build-"))
        bundle.build(source, self._scratch / f"{source.tag}.bundle")
        notes = changelog.unreleased(Path(self.root, changelog.FILE).read_text(encoding="utf-8"))
        (self._scratch / f"{source.tag}.md").write_text(f"{notes}\n", encoding="utf-8")
        for path in self._scratch.iterdir():
            build_data["force_include"][str(path)] = f"litgen_generator/releases/{path.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was built on the way."""
        if self._scratch is not None:
            shutil.rmtree(self._scratch)
