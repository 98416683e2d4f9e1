"""Ctrl-C, SIGTERM and kill -9 at any moment: the tree is as before or as after, and nothing else is left."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.changing import Files, Owner

ADD = ("add-endpoint", "third", "--defaults")

CODES = {
    signal.SIGKILL: (-signal.SIGKILL,),
    signal.SIGINT: (130, -signal.SIGINT),
    signal.SIGTERM: (143, -signal.SIGTERM),
    signal.SIGHUP: (129, -signal.SIGHUP),
    signal.SIGQUIT: (-signal.SIGQUIT,),
}
"""How a command ends that was stopped: by itself, or of the signal, where that comes while Python starts or ends."""

_SLOW = """
import sys, time
from litgen_generator.change import files
put = files.put
def slow(*arguments):
    put(*arguments)
    time.sleep(0.05)
files.put = slow
from litgen_generator.__main__ import main
main()
"""
SLOW = (sys.executable, "-c", _SLOW)
"""litgen, which takes its time after each file that it writes."""


def start(owner: Owner, command: Sequence[str]) -> subprocess.Popen[str]:
    """Start litgen in the repository, in a process group of its own."""
    return subprocess.Popen(
        [*command, *ADD],
        cwd=owner.project,
        env=owner.workplace.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def stop(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send a signal as a person does: Ctrl-C and a closed terminal reach the whole group, others one process."""
    with contextlib.suppress(ProcessLookupError):  # it had ended before
        (os.killpg if number in (signal.SIGINT, signal.SIGHUP) else os.kill)(process.pid, number)


def outcomes(owner: Owner) -> tuple[Files, Files, float]:
    """The files before the command and after it, and how long it takes."""
    before = owner.files()
    began = time.monotonic()
    owner.does(*ADD)
    taken_s = time.monotonic() - began
    after = owner.files()
    owner.does("undo")
    assert owner.files() == before
    return before, after, taken_s


def check(owner: Owner, before: Files, after: Files) -> bool:
    """All or nothing was written, and nothing runs on; whether it was written. Then all is put back."""
    owner.waits_for_silence()
    now = owner.files()
    assert now in (before, after), sorted(key for key in {*before, *after, *now} if now.get(key) != before.get(key))
    put_back(owner)
    assert owner.files() == before
    return now == after


def put_back(owner: Owner) -> None:
    """Have the files as they were committed."""
    owner.git("checkout", "--quiet", "--", ".")
    owner.git("clean", "--quiet", "-d", "--force")


def first_file(owner: Owner, process: subprocess.Popen[str], old: bytes) -> None:
    """Wait until the first of the files is written."""
    while (owner.project / ".copier-answers.yml").read_bytes() == old:
        assert process.poll() is None
        time.sleep(0.001)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("number", "moments"),
    [(signal.SIGKILL, 12), (signal.SIGINT, 5), (signal.SIGTERM, 5)],
    ids=["SIGKILL", "SIGINT", "SIGTERM"],
)
def test_a_command_that_is_stopped_at_any_moment(owner: Owner, number: signal.Signals, moments: int) -> None:
    """Swept over the length of the command: before or after, never between."""
    before, after, taken_s = outcomes(owner)
    for moment in range(moments):
        process = start(owner, (sys.executable, "-m", "litgen_generator"))
        time.sleep(taken_s * 1.1 * moment / moments)
        stop(process, number)
        _, said = process.communicate()
        written = check(owner, before, after)
        assert process.returncode in ((0, *CODES[number]) if written else CODES[number]), said
        assert number is signal.SIGKILL or list(owner.workplace.temporary.iterdir()) == []
    owner.does(*ADD)
    assert owner.files() == after


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("number", "moments"),
    [(signal.SIGKILL, 5), (signal.SIGINT, 2), (signal.SIGTERM, 2), (signal.SIGHUP, 1), (signal.SIGQUIT, 1)],
    ids=["SIGKILL", "SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"],
)
def test_a_command_that_is_stopped_while_it_writes(owner: Owner, number: signal.Signals, moments: int) -> None:
    """Once the first file has changed it is too late: all of them do."""
    before, after, _ = outcomes(owner)
    old = (owner.project / ".copier-answers.yml").read_bytes()
    for moment in range(moments):
        process = start(owner, SLOW)
        first_file(owner, process, old)
        time.sleep(0.35 * moment / moments)
        stop(process, number)
        process.communicate()
        assert check(owner, before, after)
    owner.does(*ADD)
    owner.does("undo")
    assert owner.files() == before


@pytest.mark.timeout(400)
def test_a_machine_that_stops_while_files_are_written(owner: Owner) -> None:
    """Even the process that writes is killed: the next command of any kind does the rest first."""
    before, after, _ = outcomes(owner)
    old = (owner.project / ".copier-answers.yml").read_bytes()
    between = 0
    for moment in range(4):
        process = start(owner, SLOW)
        first_file(owner, process, old)
        time.sleep(0.05 * moment)
        for running in owner.running():
            running.kill()
        process.communicate()
        owner.waits_for_silence()
        between += owner.files() not in (before, after)
        owner.does("status")
        assert owner.files() == after
        put_back(owner)
    assert between, "no moment was between the first and the last file"


def test_two_commands_at_once(owner: Owner) -> None:
    """The second is refused, and changes nothing."""
    before, after, _ = outcomes(owner)
    first = start(owner, SLOW)
    lock = owner.project / ".git" / "litgen" / "project" / "lock"
    deadline = time.monotonic() + 30
    while not _is_held(lock):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    second = owner.litgen("set", "drain_timeout_s=77")
    assert second.returncode == 1
    assert "another litgen is at work" in second.stderr
    assert first.wait(60) == 0
    first.communicate()
    assert owner.files() == after
    assert before != after


def _is_held(lock: Path) -> bool:
    with lock.open("a") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
