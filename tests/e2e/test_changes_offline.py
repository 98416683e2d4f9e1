"""Changes without a network, with an installed litgen, in a moved folder, as another user."""

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.changing import Owner
from tests.e2e.conftest import Workplace, copy_sources
from tests.e2e.test_install import build, installed
from tests.template.rendering import once

ADD = ("add-endpoint", "third", "--defaults")
NOBODY = 65534


@pytest.fixture
def wheel(shared_folder: Path) -> Path:
    """The generator's wheel."""
    folder = shared_folder / "offline-wheel"

    def make() -> None:
        build(copy_sources(folder / "sources"), folder / "wheel", "wheel")

    once(folder, make)
    return next((folder / "wheel").glob("*.whl"))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_without_a_network(old_owner: Owner, wheel: Path) -> None:
    """Update, add, undo, status and template fetch in a network namespace that has nothing, not even loopback."""
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody make a network of their own (unshare -rn)")
    command = shlex.join(installed(wheel, old_owner.workplace.root / "installed"))
    moved = Owner(old_owner.workplace, old_owner.project.rename(old_owner.workplace.root / "moved"))
    script = f"""
        ! ip link 2>/dev/null | grep -q UP
        {command} template fetch --commit
        {command} update
        {command} add-endpoint third --defaults
        {command} status --check
        {command} undo
        {command} versions
    """
    done = moved.workplace.run("unshare", "-rn", "sh", "-ec", script, cwd=moved.project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Undone: litgen add-endpoint third" in done.stdout


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user may go into."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def as_nobody(owner: Owner, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run litgen as a user who is not the owner of much."""
    words = (*owner.workplace.command, *arguments)
    return owner.workplace.run(
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *words), cwd=owner.project
    )


def given_to_nobody(folder: Path) -> None:
    """Make another user the owner of all that is in a folder."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_project_of_another_user(owner: Owner, wheel: Path, public_folder: Path) -> None:
    """Git's refusal is passed on with what it says to type; the user whose it is can go on, in the moved folder."""
    shutil.move(owner.project, public_folder / "svc")
    workplace = Workplace(public_folder / "machine", installed(wheel, public_folder / "installed"))
    moved = Owner(workplace, public_folder / "svc")
    if as_nobody(moved, "--version").returncode:
        pytest.skip("other users cannot run the Python of these tests")
    done = as_nobody(moved, *ADD)
    assert done.returncode == 1
    assert "dubious ownership" in done.stderr
    assert "safe.directory" in done.stderr
    given_to_nobody(public_folder)
    before = moved.files()
    done = as_nobody(moved, *ADD)
    assert done.returncode == 0, done.stderr
    assert as_nobody(moved, "undo").returncode == 0
    assert moved.files() == before
