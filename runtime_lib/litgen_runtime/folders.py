"""The folder of one run of a service, for large bodies on their way to workers.

The HTTP process makes it if an endpoint takes such bodies; the supervisor, or the guardian in its place, removes it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def run_folder(name: str) -> str:
    """Return a path in TMPDIR that nobody can guess; nothing is made there.

    Args:
        name: the service.
    """
    return str(Path(os.environ.get("TMPDIR") or "/tmp").absolute() / f"litgen-{name}-{os.urandom(8).hex()}")  # noqa: S108 - a name of its own


def remove(folder: str) -> bool:
    """Delete a folder of files; False if something is still being written there."""
    with contextlib.suppress(FileNotFoundError):
        for entry in list(Path(folder).iterdir()):
            with contextlib.suppress(OSError):
                entry.unlink()
        try:
            Path(folder).rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
    return True
