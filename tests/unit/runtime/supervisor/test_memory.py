from __future__ import annotations

import os
from pathlib import Path

from litgen_runtime.supervisor.memory import resident_by_session

PAGE = os.sysconf("SC_PAGE_SIZE")


def process(proc: Path, pid: int, session: int, pages: int, name: str = "python") -> None:
    """Put a process into a made-up /proc."""
    fields = ["S", "1", "1", str(session), *["0"] * 17, str(pages), "0"]
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")


def test_by_session(tmp_path: Path) -> None:
    """A worker's descendants count with it, whatever they are called."""
    process(tmp_path, 100, 100, 10)
    process(tmp_path, 101, 100, 5, name="a ) S 7 (b")
    process(tmp_path, 200, 200, 1)
    (tmp_path / "300").mkdir()  # has ended in this moment
    (tmp_path / "meminfo").touch()
    resident = resident_by_session(tmp_path)
    assert resident == {100: 15 * PAGE, 200: PAGE}
    assert resident[999] == 0


def test_this_process() -> None:
    """The real /proc is read right: this session holds some megabytes."""
    assert resident_by_session()[os.getsid(0)] > 5_000_000
