from __future__ import annotations

import os
from pathlib import Path

import pytest

from litgen_runtime import cores


def quotas(tmp_path: Path, own: str, files: dict[str, str]) -> list[float]:
    """Return what is read of these control groups."""
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return list(cores._quotas(tmp_path / "groups", tmp_path / "own"))


def test_in_a_container(tmp_path: Path) -> None:
    """A container with a namespace of its own sees its quota at the root."""
    assert quotas(tmp_path, "0::/\n", {"cpu.max": "150000 100000\n"}) == [1.5]


def test_every_ancestor_counts(tmp_path: Path) -> None:
    """A group's limit holds for all below it."""
    files = {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "400000 100000\n"}
    assert quotas(tmp_path, "0::/a/b\n", files) == [4.0]


def test_version_1(tmp_path: Path) -> None:
    """The older interface is read too; -1 there means no limit."""
    files = {"cpu/box/cpu.cfs_quota_us": "250000\n", "cpu/box/cpu.cfs_period_us": "100000\n"}
    files |= {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}
    assert quotas(tmp_path, "4:memory:/box\n3:cpu,cpuacct:/box\n", files) == [2.5]


@pytest.mark.parametrize("text", ["", "rubbish", "1 0"])
def test_what_cannot_be_read_is_no_limit(tmp_path: Path, text: str) -> None:
    """A file that says nothing sensible limits nothing."""
    assert quotas(tmp_path, "0::/\n", {"cpu.max": text}) == []


def test_without_control_groups(tmp_path: Path) -> None:
    """Where there are none, affinity alone counts."""
    assert list(cores._quotas(tmp_path, tmp_path / "nothing")) == []


@pytest.mark.parametrize(
    ("affinity", "quota", "usable"), [(8, [], 8), (8, [2.5, 4.0], 2), (2, [16.0], 2), (4, [0.5], 1)]
)
def test_usable_cores(monkeypatch: pytest.MonkeyPatch, affinity: int, quota: list[float], usable: int) -> None:
    """The least of all counts, in whole cores, at least one."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(affinity)), raising=False)
    monkeypatch.setattr(cores, "_quotas", lambda *_: iter(quota))
    assert cores.usable_cores() == usable
