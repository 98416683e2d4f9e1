from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from litgen_runtime.errors import SettingsError, StartupError
from litgen_runtime.imports import resolve
from litgen_runtime.tracebacks import describe, words_of


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


class Worse(Exception):
    def __getattribute__(self, name: str) -> Any:
        if name == "__notes__":
            raise RuntimeError("not even this")
        return super().__getattribute__(name)


def test_owners_frames_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An owner sees the lines of theirs, not those of the runtime or of the import system."""
    (tmp_path / "unit_breaks.py").write_text("raise ValueError('no weights')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="no weights") as caught:
        resolve("unit_breaks:Embed", "key")
    text = describe(caught.value)
    assert 'unit_breaks.py", line 1' in text
    assert "litgen_runtime/imports.py" not in text
    assert "importlib" not in text
    assert text.endswith("ValueError: no weights")


def test_settings_error_needs_no_traceback() -> None:
    """A sentence that names key, value and fix is enough."""
    assert describe(SettingsError("port is 0; fix it.")) == "port is 0; fix it."
    assert describe(StartupError("another has the store; stop it.")) == "another has the store; stop it."


@pytest.mark.parametrize("error", [Mute(), Worse("x")], ids=["__str__ raises", "__notes__ raises"])
def test_errors_that_cannot_be_told(error: Exception) -> None:
    """An exception that raises when it is shown is still named."""
    assert type(error).__name__ in words_of(error)
    assert type(error).__name__ in describe(error)
