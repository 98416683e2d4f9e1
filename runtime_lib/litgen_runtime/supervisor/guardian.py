"""The guardian: when the supervisor is gone, however it went, every session of the service is killed.

Then the folder of its run is removed, and what other files it has made.

It reads ``+PID`` and ``-PID`` lines from a pipe whose only other end the supervisor holds. The end of the pipe is
the end of the supervisor: a parent-death signal would spare grandchildren, and a thread in each worker would be
stopped by a held GIL. Started as ``python -m litgen_runtime.supervisor.guardian FD FOLDER FILE...``.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

from litgen_runtime.folders import remove
from litgen_runtime.groups import kill_session, let_the_supervisor_decide

_TRIES = 100
_PAUSE_S = 0.02  # for what has been killed to end


def main() -> None:
    """Keep the list of sessions until the pipe ends, then kill what is on it and remove what it left."""
    let_the_supervisor_decide()
    sessions: set[int] = set()
    with os.fdopen(int(sys.argv[1])) as pipe:
        for line in pipe:
            (sessions.add if line[0] == "+" else sessions.discard)(int(line[1:]))
    for leader in sessions:
        kill_session(leader)
    for file in sys.argv[3:]:
        with contextlib.suppress(OSError):
            Path(file).unlink()
    for _ in range(_TRIES):
        if remove(sys.argv[2]):
            break
        time.sleep(_PAUSE_S)


if __name__ == "__main__":
    main()
