"""Jobs and a power cut: what has been acknowledged was on the disk (docs/jobs.md)."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.integration.jobs import ended
from tests.services import Running, config, endpoint, serving

SHIM = Path(__file__).with_name("power.c")


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shim, built."""
    library = tmp_path_factory.mktemp("power") / "power.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SHIM), "-ldl"], check=True)
    return library


def env(shim: Path, folder: Path, kept: Path) -> dict[str, str]:
    """What a process is started with whose syncs in a folder are to be known."""
    return {"LD_PRELOAD": str(shim), "POWER_FROM": str(folder), "POWER_TO": str(kept)}


def restore(folder: Path, kept: Path) -> None:
    """Have of a folder what was synced."""
    shutil.rmtree(folder)
    shutil.copytree(kept, folder, ignore=shutil.ignore_patterns("*.unnamed", "*.fresh"))


def test_the_shim_keeps_what_was_synced_and_nothing_else(shim: Path, tmp_path: Path) -> None:
    """A file that was written and not synced is empty, or not there; one that was synced is what it was then."""
    folder, kept = tmp_path / "from", tmp_path / "to"
    folder.mkdir()
    kept.mkdir()
    script = """
import os, sys
def file(name): return os.open(name, os.O_RDWR | os.O_CREAT)
a, b, c = file("a"), file("b"), file("c")
os.write(a, b"early "); os.fsync(a); os.write(a, b"late")
os.write(b, b"never")
here = os.open(".", os.O_RDONLY); os.fsync(here)
d = file("d"); os.write(d, b"no name"); os.fsync(d)
"""
    subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env={**os.environ, **env(shim, folder, kept)}, check=True
    )
    restore(folder, kept)
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert found == {"a": b"early ", "b": b"", "c": b""}


def test_a_power_cut(shim: Path, tmp_path: Path) -> None:
    """Jobs that were acknowledged, small and large, are there after it, and are done."""
    together = endpoint("actions:ActTogether", "/act", jobs=True, batching={"max_size": 8, "max_wait_s": 0.002})
    path = config(tmp_path, {"act": together})
    folder, kept = tmp_path / "var", tmp_path / "kept"
    kept.mkdir()
    acknowledged: dict[str, str] = {}

    def ask(service: Running, client: int) -> None:
        with httpx.Client(timeout=20) as http:
            for number in range(10_000):
                text = f"{client}-{number} " + "x" * (100_000 if number % 10 == 9 else 10)
                document = {"do": "echo", "text": text}
                try:
                    answer = http.post(f"{service.url}/act", json=document, headers={"Prefer": "respond-async"})
                except httpx.HTTPError:
                    return
                if answer.status_code == 202:
                    acknowledged[answer.json()["id"]] = text

    with serving(path, env=env(shim, folder, kept)) as service:
        threads = [threading.Thread(target=ask, args=(service, client)) for client in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(2.0)
        for process in service.marked.processes():
            os.kill(process.pid, signal.SIGKILL)
        for thread in threads:
            thread.join(30)
    restore(folder, kept)
    assert len(acknowledged) > 50
    with serving(path) as service:
        for job_id, text in acknowledged.items():
            assert ended(service, job_id)["status"] == "succeeded"
            assert service.get(f"/v1/jobs/{job_id}/result").json()["value"] == text
