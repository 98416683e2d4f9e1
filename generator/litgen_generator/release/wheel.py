"""The runtime's wheel, the same bytes from the same sources."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from litgen_generator.errors import LitgenError
from litgen_generator.release.source import Source

BUILD_TIME = "1767225600"
"""Seconds since the epoch that stand in the wheel and in the release's commit: 2026-01-01."""


def built(source: Source, version: str, folder: Path) -> Path:
    """Build the runtime's wheel as `version` into `folder`.

    Raises:
        LitgenError: If hatchling is not installed, which only a checkout needs.
    """
    try:
        from hatchling.builders.wheel import WheelBuilder
    except ModuleNotFoundError:
        raise LitgenError(
            "hatchling is not installed; expected it, since a checkout of litgen builds its own runtime. "
            "Install it with: pip install -e '.[dev]'"
        ) from None
    with tempfile.TemporaryDirectory(prefix="litgen-wheel-") as copy, _fixed_time():
        for path in source.files("runtime_lib"):
            target = Path(copy, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.root / path, target)
        project = Path(copy, "runtime_lib")
        (project / "litgen_runtime" / "_version.py").write_text(
            f'"""The version of this build."""\n\n__version__ = "{version}"\n', encoding="utf-8"
        )
        builder = WheelBuilder(str(project))
        return Path(next(builder.build(directory=str(folder), versions=["standard"])))


@contextmanager
def _fixed_time() -> Iterator[None]:
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = BUILD_TIME
    try:
        yield
    finally:
        if before is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = before
