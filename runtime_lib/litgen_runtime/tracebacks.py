"""What an owner sees of an error in code of theirs."""

from __future__ import annotations

import importlib
import traceback
from pathlib import Path

from litgen_runtime.errors import SettingsError, StartupError

_NOT_THE_OWNERS = (str(Path(__file__).parent), str(importlib.__file__), "<frozen importlib")


def describe(error: BaseException) -> str:
    """Return an error with the owner's part of its traceback; one of ours says enough by itself."""
    if isinstance(error, (SettingsError, StartupError)):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    owners = [frame for frame in frames if not frame.filename.startswith(_NOT_THE_OWNERS)]
    text = "".join(traceback.format_list(owners or frames))
    return f"Traceback (most recent call last):\n{text}{words_of(error)}"


def words_of(error: BaseException) -> str:
    """Return an error's type and message; an owner's ``__str__`` may raise too."""
    try:
        return "".join(traceback.format_exception_only(error)).rstrip()
    except Exception:  # noqa: BLE001 - such as a ``__notes__`` that raises
        return type(error).__qualname__
