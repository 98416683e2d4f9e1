from __future__ import annotations

from pathlib import Path

import pytest

from litgen_runtime.jobs.sqlite import SqliteStore
from litgen_runtime.jobs.store import StoreFailed


@pytest.mark.parametrize("name", ["jobs.db", "jobs.db-wal"])
@pytest.mark.parametrize("replaced", [True, False])
def test_a_file_that_is_not_in_its_place(tmp_path: Path, name: str, replaced: bool) -> None:
    """Nothing is written to what no path leads to any more; what is put back is written to again."""
    store, file, away = SqliteStore(tmp_path / "jobs.db"), tmp_path / name, tmp_path / "away"
    assert store.write(lambda rows: 1).result() == 1
    file.rename(away)
    if replaced:
        file.write_bytes(away.read_bytes())
    with pytest.raises(StoreFailed, match=f"{name} is not in its place"):
        store.write(lambda rows: 1).result()
    assert store.trouble is not None
    away.replace(file)
    assert store.write(lambda rows: 2).result() == 2
    assert store.trouble is None
    store.close()
