"""The guardian: when the supervisor is gone, however it went, every session of the service is killed.

It reads ``+PID`` and ``-PID`` lines from a pipe whose only other end the supervisor holds. The end of the pipe is
the end of the supervisor: a parent-death signal would spare grandchildren, and a thread in each worker would be
stopped by a held GIL. Started as ``python -m litgen_runtime.supervisor.guardian FD``.
"""

from __future__ import annotations

import os
import sys

from litgen_runtime.groups import kill_session, let_the_supervisor_decide


def main() -> None:
    """Keep the list of sessions until the pipe ends, then kill what is on it."""
    let_the_supervisor_decide()
    sessions: set[int] = set()
    with os.fdopen(int(sys.argv[1])) as pipe:
        for line in pipe:
            (sessions.add if line[0] == "+" else sessions.discard)(int(line[1:]))
    for leader in sessions:
        kill_session(leader)


if __name__ == "__main__":
    main()
