from __future__ import annotations

from pathlib import Path

import pytest

from litgen_runtime.folders import remove, run_folder


def test_run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TMPDIR is respected, no two runs share a folder, and asking makes none."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    first, second = run_folder("my-service"), run_folder("my-service")
    assert first != second
    assert first.startswith(f"{tmp_path}/litgen-my-service-")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.delenv("TMPDIR")
    assert Path(run_folder("a")).parent == Path("/tmp")


def test_remove(tmp_path: Path) -> None:
    """A folder goes with what is in it; one that is not there is gone too."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "1").write_bytes(b"x")
    assert remove(str(folder))
    assert remove(str(folder))
    assert list(tmp_path.iterdir()) == []


def test_remove_what_cannot_be(tmp_path: Path) -> None:
    """What is not a file is left, and said: nobody deletes trees by mistake."""
    (tmp_path / "run" / "inner").mkdir(parents=True)
    assert not remove(str(tmp_path / "run"))
    assert (tmp_path / "run" / "inner").is_dir()
