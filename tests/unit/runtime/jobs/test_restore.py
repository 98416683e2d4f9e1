"""Putting a backup back, and what a store's first and last hours look like to whoever runs the service."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from litgen_runtime.errors import StartupError
from litgen_runtime.jobs.backup import BackupFailed, back_up
from litgen_runtime.jobs.blobs import Blobs
from litgen_runtime.jobs.bounds import Backlogs, Bounds
from litgen_runtime.jobs.ledger import Ledger
from litgen_runtime.jobs.machine import Rules
from litgen_runtime.jobs.restore import restore
from litgen_runtime.jobs.sqlite import SqliteStore
from litgen_runtime.jobs.store import Query, StoreDamaged
from litgen_runtime.jobs.wish import Wish

LARGE = b"x" * 100_000


def hand_in(path: Path, *bodies: bytes) -> None:
    """Accept jobs in a store, as a service that is killed then: what is in the WAL stays there."""
    store = SqliteStore(path)
    rules = {"embed": Rules(3, repeatable=True, keep_s=50.0, remember_s=500.0)}
    backlogs = Backlogs({"embed": Bounds(10, 10**9, 1e9)})
    ledger = Ledger(store, Blobs(Path(f"{path}.files")), rules, backlogs, lambda: 1000.0)

    async def main() -> None:
        await ledger.recover()
        for body in bodies:
            await ledger.submit(Wish("embed", "alice", body))

    asyncio.run(main())
    killed = path.parent.with_name(f"{path.parent.name}-killed")
    shutil.copytree(path.parent, killed)
    store.close()
    shutil.rmtree(path.parent)
    killed.rename(path.parent)
    assert Path(f"{path}-wal").stat().st_size


def bodies(path: Path) -> list[bytes]:
    """Return what a service finds in a store: the bodies of its jobs, those in files too."""
    store = SqliteStore(path)
    blobs = Blobs(Path(f"{path}.files"))
    jobs = store.read(lambda rows: rows.waiting("embed", 1e12, 10)).result()
    payloads = store.read(lambda rows: [rows.body(job.id) for job in jobs]).result()
    store.close()
    return [blobs.data(payload) for payload in payloads if payload is not None]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``var``, the store of a service that was killed, whose only job is in the WAL; and ``copies``."""
    folder = tmp_path_factory.mktemp("made")
    hand_in(folder / "once" / "jobs.db", b"small", LARGE)
    (folder / "copies").mkdir()
    back_up(folder / "once" / "jobs.db", folder / "copies" / "jobs.db")
    hand_in(folder / "var" / "jobs.db", LARGE[1:])
    return folder


@pytest.fixture
def backup(made: Path, tmp_path: Path) -> Path:
    """A copy of a store that had two jobs, one of them large."""
    return Path(shutil.copytree(made / "copies", tmp_path / "copies")) / "jobs.db"


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    """The store of a service that was killed."""
    return Path(shutil.copytree(made / "var", tmp_path / "var")) / "jobs.db"


def test_a_backup_put_back(backup: Path, store: Path) -> None:
    """It is what the next service finds, private; what stood there is a store still, in a folder of its own."""
    done = restore(backup, store)
    assert (done.jobs, done.files) == (2, 1)
    assert bodies(store) == [b"small", LARGE]
    assert done.old is not None
    assert done.old.parent.parent == store.parent
    assert bodies(done.old) == [LARGE[1:]]
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert [stat.S_IMODE(path.stat().st_mode) for path in Path(f"{store}.files").iterdir()] == [0o600]
    assert bodies(backup) == [b"small", LARGE], "it is left as it was"
    again = restore(done.old, store)
    assert again.old not in (None, done.old)
    assert bodies(store) == [LARGE[1:]], "also what was moved aside can be put back"


def test_a_folder_that_is_not_there(backup: Path, tmp_path: Path) -> None:
    """It is made, and nothing was moved."""
    path = tmp_path / "new" / "var" / "jobs.db"
    assert restore(backup, path).old is None
    assert bodies(path) == [b"small", LARGE]
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def _die_at(call: int, work: Callable[[], object]) -> bool:
    """Do something in a process that is killed just before its n-th step on the disk; False if it came to its end."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = iter(range(call, -1, -1))
    for owner, name in ((Path, "rename"), (Path, "mkdir")):
        real = getattr(owner, name)

        def step(*arguments: object, real: Callable[..., object] = real, **options: object) -> object:
            if not next(left):
                os._exit(9)
            return real(*arguments, **options)

        setattr(owner, name, step)
    try:
        work()
    finally:
        os._exit(0)


def test_killed_at_any_step(backup: Path, store: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The old one is there or the new one, whole; restoring again puts the new one there, and the old one is kept."""
    before, seen, steps = tmp_path / "before", set(), 0
    store.parent.rename(before)
    while True:
        shutil.rmtree(store.parent, ignore_errors=True)
        shutil.copytree(before, store.parent)
        if not _die_at(steps, lambda: restore(backup, store)):
            break
        found = bodies(store)
        assert found in ([LARGE[1:]], [b"small", LARGE]), f"killed before step {steps}"
        seen.add(len(found))
        restore(backup, store)
        assert bodies(store) == [b"small", LARGE]
        kept = [file.read_bytes() for file in store.parent.glob("*.replaced-*/jobs.db.files/*")]
        assert LARGE[1:] in kept, f"killed before step {steps}"
        assert not list(store.parent.glob("*.restoring*"))
        steps += 1
    assert seen == {1, 2}
    assert "a restore that was broken off is done now" in caplog.text
    assert steps >= 8


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5000])


def _spoil(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xff" * 4096)


def _spoil_all(path: Path) -> None:
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))


def _lose_a_file(path: Path) -> None:
    for file in Path(f"{path}.files").iterdir():
        file.unlink()


def _cut_a_file(path: Path) -> None:
    for file in Path(f"{path}.files").iterdir():
        file.write_bytes(b"x")


def _of_another_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE jobs (a)")
        database.execute("PRAGMA user_version = 1")
    database.close()


def _of_a_later_version(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (Path.unlink, "There is no backup at"),
        (lambda path: path.write_text("no database" * 1000), "cannot be read as a job store: file is not a database"),
        (lambda path: path.write_bytes(b""), "is a database, but no job store"),
        (_of_another_program, "is a database, but no job store"),
        (_of_a_later_version, "schema 99; this one knows 1"),
        (_truncate, "Name another backup"),
        (_spoil, "Name another backup"),
        (_lose_a_file, "is not there, or not whole"),
        (_cut_a_file, "is not there, or not whole"),
    ],
)
def test_what_is_no_backup(backup: Path, store: Path, spoil: Callable[[Path], object], words: str) -> None:
    """It is told, and the store stays where it is."""
    spoil(backup)
    with pytest.raises(BackupFailed, match=words):
        restore(backup, store)
    assert bodies(store) == [LARGE[1:]]
    assert not list(store.parent.glob("*.re*"))


def test_a_store_in_use(backup: Path, store: Path) -> None:
    """Nobody's store is pulled away from under its service."""
    used = SqliteStore(store)
    with pytest.raises(StartupError, match="belongs to another process"):
        restore(backup, store)
    used.close()


def test_a_backup_makes_no_folders(store: Path, tmp_path: Path) -> None:
    """A name with a slip of the pen is told."""
    with pytest.raises(BackupFailed, match=r"There is no folder .*typo"):
        back_up(store, tmp_path / "typo" / "jobs.db")
    assert not (tmp_path / "typo").exists()


def test_a_damaged_store_is_not_copied(store: Path, tmp_path: Path) -> None:
    """Who copies one is told what to do instead, and nothing that looks like a copy is left."""
    SqliteStore(store).close()
    _spoil_all(store)
    with pytest.raises(BackupFailed, match=r"is damaged: .* Stop the service and put a backup in its place"):
        back_up(store, tmp_path / "copy.db")
    assert not list(tmp_path.glob("copy.db*"))


def test_a_damaged_store_is_not_opened(store: Path) -> None:
    """What shows only when its tables are read ends the start as well, with what to do."""
    SqliteStore(store).close()
    _spoil_all(store)
    with pytest.raises(StartupError, match=r"is damaged: .* with `jobs restore FILE`; or move"):
        SqliteStore(store)


@pytest.mark.parametrize("work", ["read", "write"])
def test_damage_that_shows_in_use(store: Path, work: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is in the log once, and stays the store's trouble: nothing more is accepted, whatever could be written."""
    SqliteStore(store).close()
    used = SqliteStore(store)
    _spoil_all(store)
    for _ in range(2):
        with pytest.raises(StoreDamaged):
            getattr(used, work)(lambda rows: rows.add_event(rows.page(Query("alice"))[0].id, 0.0, "x", b"")).result()
    with pytest.raises(StoreDamaged):
        used.write(lambda rows: None).result()
    assert used.trouble is not None
    assert [record.getMessage() for record in caplog.records] == [used.trouble]
    used.close()


@pytest.fixture
def as_nobody(store: Path) -> Iterator[Path]:
    """A store of a user without rights, who the test is, and who may not go where pytest's folders are."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(shutil.copytree(store.parent, Path(folder, "var"))) / store.name
        if os.geteuid() == 0:
            for path in (Path(folder), place.parent, *place.parent.rglob("*")):
                os.chown(path, 65534, 65534)
            os.seteuid(65534)
        yield place
        os.seteuid(os.getuid())
        place.parent.chmod(0o700)


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    """The message names the path that was given, and what is there."""
    (tmp_path / "var").mkdir()
    with pytest.raises(StartupError, match="var is a folder; expected the job store's file"):
        SqliteStore(tmp_path / "var")


def test_a_file_that_cannot_be_written(as_nobody: Path) -> None:
    """The message names the file."""
    as_nobody.chmod(0o400)
    with pytest.raises(StartupError, match=r"jobs\.db cannot be written: Permission denied"):
        SqliteStore(as_nobody)


def test_a_folder_that_cannot_be_written(as_nobody: Path) -> None:
    """A good store is not called a bad one."""
    for end in ("-wal", "-shm"):
        Path(f"{as_nobody}{end}").unlink()
    as_nobody.parent.chmod(0o500)
    with pytest.raises(StartupError, match="is not damaged: let the service's user write to it and to its folder"):
        SqliteStore(as_nobody)
