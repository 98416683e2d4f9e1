"""Prometheus' own judge of a metrics page."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.services import ROOT

_KEPT = ROOT / ".litgen-cache" / "promtool"
_FETCH_S = 240.0


def promtool() -> str:
    """Return the path of promtool; where it is not installed, it is taken out of Debian's package of Prometheus.

    The test that asks is skipped where there is neither.
    """
    found = _found()
    if found is None and shutil.which("apt-get") and shutil.which("dpkg"):
        _fetch()
        found = _found()
    return found or pytest.skip("promtool is not installed, and apt does not give it: apt-get install prometheus")


def _found() -> str | None:
    return shutil.which("promtool") or (str(_KEPT) if _KEPT.is_file() else None)


def _fetch() -> None:
    """Unpack the package without installing it, which would start a server."""
    with tempfile.TemporaryDirectory() as folder:
        if not _apt(folder, "download", "prometheus") and os.geteuid() == 0:
            _apt(folder, "update", "-qq")
            _apt(folder, "download", "prometheus")
        for package in Path(folder).glob("prometheus_*.deb"):
            subprocess.run(["dpkg", "-x", str(package), folder], check=False, capture_output=True)
        unpacked = Path(folder) / "usr" / "bin" / _KEPT.name
        if unpacked.is_file():
            _KEPT.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(unpacked, _KEPT)


def _apt(folder: str, *arguments: str) -> bool:
    command = ["apt-get", "-o", "APT::Sandbox::User=root", *arguments]
    try:
        return not subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=_FETCH_S).returncode
    except subprocess.TimeoutExpired:
        return False


def complaints(page: str) -> str:
    """Return what promtool has to say against a page; nothing if it is as it should be."""
    command = [promtool(), "check", "metrics"]
    done = subprocess.run(command, input=page, capture_output=True, text=True, check=False, timeout=60)
    return (done.stdout + done.stderr).strip() or ("" if not done.returncode else f"exit code {done.returncode}")
