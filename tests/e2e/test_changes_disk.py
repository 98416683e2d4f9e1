"""Full disks, files and folders that may not be written, an editor that writes meanwhile: nothing is changed."""

import shlex
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.e2e.changing import Owner

ADD = ("add-endpoint", "third", "--defaults")


def patched(code: str) -> tuple[str, ...]:
    """The command with something in it that is otherwise."""
    start = "from litgen_generator.__main__ import main; main()"
    return (sys.executable, "-c", f"from litgen_generator.change import applying, files\n{code}\n{start}")


def in_namespace(owner: Owner, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script of a shell as if by root, with mounts of its own."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody make mounts of their own (unshare -rm)")
    return owner.workplace.run("unshare", "-rm", "sh", "-ec", script, cwd=owner.project)


def litgen(owner: Owner, *arguments: str) -> str:
    """The command as a shell reads it."""
    return shlex.join([*owner.workplace.command, *arguments])


def unprivileged(command: Sequence[str]) -> list[str]:
    """The command without root's right to write whatever it wants, if it is root's."""
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]


def refused_unprivileged(owner: Owner) -> str:
    """An endpoint cannot be added; why."""
    before = owner.files()
    done = owner.workplace.run(*unprivileged([*owner.workplace.command, *ADD]), cwd=owner.project)
    if "setpriv" in done.stderr:
        pytest.skip(f"rights cannot be given up here: {done.stderr}")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.startswith("litgen: ")
    assert owner.files() == before
    return done.stderr


def test_a_folder_that_may_not_be_written(owner: Owner) -> None:
    """It is named, and nothing is changed."""
    (owner.project / "tests" / "endpoints").chmod(0o555)
    assert "tests/endpoints cannot be written to" in refused_unprivileged(owner)


def test_a_git_folder_that_may_not_be_written(owner: Owner) -> None:
    """It is said in a sentence."""
    (owner.project / ".git").chmod(0o555)
    assert ".git/litgen" in refused_unprivileged(owner)


def test_a_file_that_may_not_be_read(owner: Owner) -> None:
    """Nobody knows what is in it, so nothing is changed."""
    (owner.project / "README.md").chmod(0)
    assert "README.md" in refused_unprivileged(owner)


def test_a_file_that_is_marked_read_only(owner: Owner) -> None:
    """It is the folder that decides; the file's mark stays."""
    (owner.project / "README.md").chmod(0o444)
    owner.does(*ADD)
    assert "third" in owner.text("README.md")
    assert (owner.project / "README.md").stat().st_mode & 0o777 == 0o444


def test_a_disk_that_is_full(owner: Owner) -> None:
    """The whole project on a file system without a free byte."""
    script = f"""
        mkdir ../disk && mount -t tmpfs -o size=24m none ../disk
        cp -a . ../disk/svc && cd ../disk/svc
        dd if=/dev/zero of=../ballast bs=4096 2>/dev/null || true
        find . -path ./.git -prune -o -type f -print0 | sort -z | xargs -0 sha256sum > $HOME/before
        code=0; {litgen(owner, *ADD)} 2> $HOME/said || code=$?
        find . -path ./.git -prune -o -type f -print0 | sort -z | xargs -0 sha256sum > $HOME/after
        rm ../ballast
        {litgen(owner, *ADD)} > $HOME/again
        exit $code
    """
    done = in_namespace(owner, script)
    home = owner.workplace.home
    said = (home / "said").read_text()
    assert done.returncode == 1, done.stderr + said
    assert "No space left on device" in said
    assert said.startswith("litgen: ")
    assert (home / "after").read_text() == (home / "before").read_text()
    assert "add       src/svc/endpoints/third/model.py" in (home / "again").read_text()


def test_a_file_that_cannot_be_replaced(owner: Owner) -> None:
    """The last of the files is a mount: those that were written before it are put back."""
    script = f"""
        mount --bind service.toml service.toml
        code=0; {litgen(owner, *ADD)} || code=$?
        exit $code
    """
    before = owner.files()
    done = in_namespace(owner, script)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Nothing was changed" in done.stderr
    assert "service.toml: Device or resource busy" in done.stderr
    assert owner.files() == before
    owner.does(*ADD)
    owner.does("undo")
    assert owner.files() == before


@pytest.mark.parametrize("fails_at", [1, 4, 7])
def test_a_write_that_fails(owner: Owner, fails_at: int) -> None:
    """Whichever file it is: the others are as they were, and the command can be run again."""
    before = owner.files()
    code = f"""
import errno, os
put, count = files.put, 0
def failing(*arguments):
    global count
    count += 1
    if count == {fails_at}:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(arguments[1]))
    put(*arguments)
files.put = failing
"""
    done = owner.workplace.run(*patched(code), *ADD, cwd=owner.project)
    assert done.returncode == 1, done.stderr
    assert "Input/output error" in done.stderr
    assert owner.files() == before
    if fails_at == 4:
        owner.does(*ADD)
        owner.does("undo")
        assert owner.files() == before


def test_an_undo_that_fails_can_be_repeated(owner: Owner) -> None:
    """What was done last is still known: the second one takes it back."""
    before = owner.files()
    owner.does(*ADD)
    after = owner.files()
    code = """
import errno, os
put = files.put
def failing(*arguments):
    files.put = put
    raise OSError(errno.EIO, os.strerror(errno.EIO), str(arguments[1]))
files.put = failing
"""
    done = owner.workplace.run(*patched(code), "undo", cwd=owner.project)
    assert done.returncode == 1, done.stderr
    assert owner.files() == after
    owner.does("undo")
    assert owner.files() == before


@pytest.mark.parametrize(
    ("file", "content"),
    [("README.md", "theirs\n"), ("src/svc/endpoints/third/model.py", "theirs\n"), ("src/svc/endpoints/third", "file")],
)
def test_an_editor_that_writes_meanwhile(owner: Owner, file: str, content: str) -> None:
    """What was written since the plan was made is seen, and nothing is changed."""
    code = f"""
from pathlib import Path
check = applying.State._check
def late(self, changes):
    place = Path({file!r})
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text({content!r})
    check(self, changes)
applying.State._check = late
"""
    before = owner.files()
    done = owner.workplace.run(*patched(code), *ADD, cwd=owner.project)
    assert done.returncode == 1, done.stderr
    assert "is not what it was a moment ago" in done.stderr
    after = owner.files()
    assert after[file][1] == content.encode()
    assert {path: after[path] for path in before if path != file} == {
        path: before[path] for path in before if path != file
    }
