"""What an owner sees of an error in code of theirs."""

from __future__ import annotations

import traceback
from pathlib import Path

from litgen_runtime.errors import SettingsError

_OURS = str(Path(__file__).parent)


def describe(error: BaseException) -> str:
    """Return an error with the owner's part of its traceback; a ``SettingsError`` says enough by itself."""
    if isinstance(error, SettingsError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    owners = [frame for frame in frames if not frame.filename.startswith((_OURS, "<frozen importlib"))]
    text = "".join(traceback.format_list(owners or frames))
    try:
        words = "".join(traceback.format_exception_only(error))
    except Exception:  # noqa: BLE001 - an owner's __str__ may raise too
        words = type(error).__qualname__
    return f"Traceback (most recent call last):\n{text}{words}".rstrip()
