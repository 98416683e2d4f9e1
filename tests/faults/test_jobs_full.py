"""Jobs when nothing more can be written, and when the clock is set back (docs/jobs.md)."""

import resource
import signal
import sqlite3
import time
from pathlib import Path

import psutil

from litgen_runtime.jobs.sqlite import SqliteStore
from tests.integration.jobs import accepted, ended, job_of, stands, submit
from tests.services import Running, act, assert_problem, config, eventually, serving


def let_write(service: Running, size: int) -> None:
    """Let no file of the HTTP process grow beyond a size, as a disk does that is full."""
    psutil.Process(service.http_pid).rlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_full_disk(tmp_path: Path) -> None:
    """Nothing is accepted that cannot be kept; reading goes on; what ended meanwhile is written once there is room."""
    path = config(tmp_path, {"act": act(jobs=True, repeatable=True)})
    with serving(path) as service:
        first = accepted(service, "/act", {"do": "echo", "text": "kept"})
        assert ended(service, first)["status"] == "succeeded"
        running = accepted(service, "/act", {"do": "sleep", "seconds": 1.5})
        assert stands(service, running, "running")
        let_write(service, 1024)
        refused = submit(service, "/act", {"do": "pid"})
        assert_problem(refused, 503, "storage-full")
        assert refused.headers["retry-after"]
        assert_problem(submit(service, "/act", {"do": "echo", "text": "x" * 200_000}), 503, "storage-full")
        assert job_of(service, first)["output"]["value"] == "kept"
        assert service.post("/act", {"do": "echo", "text": "now"}).json()["value"] == "now", "a call needs no store"
        time.sleep(2.0)  # the job ends, and its end cannot be written
        assert job_of(service, running)["status"] == "running"
        let_write(service, resource.RLIM_INFINITY)
        assert ended(service, running)["status"] == "succeeded"
        assert eventually(lambda: submit(service, "/act", {"do": "pid"}).status_code == 202)
        assert "the job store cannot write" in service.log()
        assert not list((tmp_path / "var" / "jobs.db.files").iterdir()), "a refused body has left its file"
        its_place_is_empty(service, tmp_path / "var")


def its_place_is_empty(service: Running, var: Path) -> None:
    """What is deleted from under SQLite takes its writes as before: none is acknowledged; it recovers when put back."""
    var.rename(var.with_name("away"))
    assert_problem(submit(service, "/act", {"do": "pid"}), 503, "storage-full")
    health = service.get("/health").json()
    assert (health["status"], "is not in its place" in health["jobs"]["trouble"]) == ("degraded", True)
    var.with_name("away").rename(var)
    assert ended(service, accepted(service, "/act", {"do": "pid"}))["status"] == "succeeded"
    (var / "jobs.db.files").rmdir()
    assert ended(service, accepted(service, "/act", {"do": "echo", "text": "x" * 200_000}))["status"] == "succeeded"


def spoil(database: Path) -> None:
    """Overwrite all of a database but its first page, as a bad disk does, or somebody's copy."""
    with database.open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))


def test_a_damaged_store(tmp_path: Path) -> None:
    """Nobody is told to try again shortly, and the log says once what to do."""
    database = tmp_path / "var" / "jobs.db"
    SqliteStore(database).close()
    path = config(tmp_path, {"act": act(jobs=True)})
    with serving(path) as service:
        assert eventually(lambda: service.get("/health").json()["status"] == "ready")
        spoil(database)
        for _ in range(3):
            refused = submit(service, "/act", {"do": "pid"})
            assert_problem(refused, 503, "storage-damaged")
            assert "retry-after" not in refused.headers
        health = service.get("/health").json()
        assert health["status"] == "degraded"
        words = f"the job store {database} is damaged: database disk image is malformed. Stop the service and put a "
        assert health["jobs"]["trouble"].startswith(words)
        assert service.post("/act", {"do": "echo", "text": "now"}).json()["value"] == "now", "a call needs no store"
        assert service.log().count(words) == 1


def test_a_file_of_the_store_that_is_lost(tmp_path: Path) -> None:
    """Nobody is told to fetch that result again shortly, and the log names the file; all else goes on."""
    with serving(config(tmp_path, {"act": act(jobs=True)})) as service:
        job = ended(service, accepted(service, "/act", {"do": "echo", "text": "x" * 200_000}))
        (file,) = (tmp_path / "var" / "jobs.db.files").glob("*.result")
        file.unlink()
        lost = service.get(job["urls"]["result"])
        assert_problem(lost, 503, "storage-damaged")
        assert "retry-after" not in lost.headers
        assert f"{file}, which the job store names, is gone" in service.log()
        assert ended(service, job["id"])["status"] == "succeeded"
        assert ended(service, accepted(service, "/act", {"do": "pid"}))["status"] == "succeeded"
        assert service.get("/health").json()["status"] == "ready"


def test_a_clock_that_was_set_back(tmp_path: Path) -> None:
    """What was written by a clock an hour ahead does not wait for that hour."""
    path = config(tmp_path, {"act": act(jobs=True, repeatable=True)})
    with serving(path) as service:
        jobs = [accepted(service, "/act", {"do": "sleep", "seconds": 1.0}) for _ in range(4)]
        service.signal(signal.SIGKILL)
        service.wait_exit()
    with sqlite3.connect(tmp_path / "var" / "jobs.db") as database:
        database.execute("UPDATE jobs SET not_before = not_before + 3600, created_at = created_at + 3600")
    with serving(path) as service:
        assert [ended(service, job_id, 30.0)["status"] for job_id in jobs] == ["succeeded"] * 4
