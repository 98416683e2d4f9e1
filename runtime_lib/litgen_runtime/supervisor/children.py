"""Processes of our own: started in sessions of their own, known to the guardian, ended with all their descendants."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from litgen_runtime.groups import kill_session

_GUARDIAN_S = 3.0  # more than it takes to remove what it has to
_POLL_S = 0.005


class Children:
    """Every child process, by pid, and the guardian that outlives us.

    Args:
        folder: what the guardian removes after us.
        files: what else it removes, if it is there.
        hidden: variables of ours that no child is to have.
    """

    def __init__(self, folder: str, files: Sequence[str] = (), hidden: Collection[str] = ()) -> None:
        self._hidden = hidden
        self._leftovers = [folder, *files]
        self._on_exit: dict[int, Callable[[str], None]] = {}
        self._guardian = 0
        self._pipe = -1
        self._closing = False
        self._start_guardian()

    def spawn(
        self,
        module: str,
        arguments: Sequence[str],
        descriptors: Sequence[int],
        on_exit: Callable[[str], None],
        environ: Mapping[str, str] = os.environ,
    ) -> int:
        """Start ``python -m MODULE`` as the leader of a session of its own.

        Args:
            module: the module to run.
            arguments: its arguments.
            descriptors: what it inherits besides the standard streams.
            on_exit: called with the cause ("exit code 1", "SIGKILL") when it has ended, its descendants killed.
            environ: its environment.

        Raises:
            OSError: the system has no room for another process.
        """
        pid = self._launch(module, arguments, descriptors, environ)
        self._on_exit[pid] = on_exit
        self._tell_guardian(f"+{pid}\n")
        return pid

    def kill(self, pid: int) -> None:
        """Kill a child and all of its session; ``reap`` sees the end."""
        kill_session(pid)

    def kill_all(self) -> None:
        """Kill every child's session."""
        for pid in list(self._on_exit):
            self.kill(pid)

    def reap(self) -> None:
        """Take the ends of children, and of orphans that fall to us as process 1."""
        while (pid := _exited()) is not None:
            if pid in self._on_exit:
                self.kill(pid)  # its descendants, while its own entry still keeps the session's number taken
            _, status = os.waitpid(pid, 0)
            if pid == self._guardian:
                self._guardian = 0
            elif pid in self._on_exit:
                self._tell_guardian(f"-{pid}\n")
                self._on_exit.pop(pid)(_cause(status))
        if not self._guardian and not self._closing:
            with contextlib.suppress(OSError):  # no room for a process now: again when the next one ends
                self._start_guardian()

    def close(self) -> None:
        """Kill what is left and let the guardian end."""
        self._closing = True
        self.kill_all()
        for pid in list(self._on_exit):
            os.waitpid(pid, 0)
            self._tell_guardian(f"-{pid}\n")
            del self._on_exit[pid]
        self._close_pipe()
        if self._guardian:
            self._await_guardian()

    def _await_guardian(self) -> None:
        """See the guardian's end; one that stands still is killed, since nothing is left for it to do."""
        deadline = time.monotonic() + _GUARDIAN_S
        while not os.waitpid(self._guardian, os.WNOHANG)[0]:
            if time.monotonic() > deadline:
                os.kill(self._guardian, signal.SIGKILL)
                os.waitpid(self._guardian, 0)
                return
            time.sleep(_POLL_S)

    def _start_guardian(self) -> None:
        self._close_pipe()
        reading, self._pipe = os.pipe()
        try:
            self._guardian = self._launch(
                "litgen_runtime.supervisor.guardian", [str(reading), *self._leftovers], [reading], os.environ
            )
        finally:
            os.close(reading)
        for pid in self._on_exit:
            self._tell_guardian(f"+{pid}\n")

    def _close_pipe(self) -> None:
        pipe, self._pipe = self._pipe, -1
        if pipe >= 0:
            os.close(pipe)

    def _launch(
        self, module: str, arguments: Sequence[str], descriptors: Sequence[int], environ: Mapping[str, str]
    ) -> int:
        given = {name: value for name, value in environ.items() if name not in self._hidden}
        return _launch(module, arguments, descriptors, given)

    def _tell_guardian(self, line: str) -> None:
        if self._pipe >= 0:
            with contextlib.suppress(BrokenPipeError):  # its end is reaped next, and a new one is told everything
                os.write(self._pipe, line.encode())


def _launch(module: str, arguments: Sequence[str], descriptors: Sequence[int], environ: Mapping[str, str]) -> int:
    for descriptor in descriptors:
        os.set_inheritable(descriptor, True)
    try:
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", module, *arguments],
            environ,
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE],
        )
    finally:
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)


def _exited() -> int | None:
    """Return a child that has ended, without reaping it yet."""
    try:
        info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if info is None else info.si_pid


def _cause(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
