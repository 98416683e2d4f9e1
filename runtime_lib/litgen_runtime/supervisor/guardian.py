"""The guardian: when the supervisor is gone, however it went, every process group of the service is killed.

It reads ``+PGID`` and ``-PGID`` lines from a pipe whose only other end the supervisor holds. The end of the pipe is
the end of the supervisor: a parent-death signal would spare grandchildren, and a thread in each worker would be
stopped by a held GIL. Started as ``python -m litgen_runtime.supervisor.guardian FD``.
"""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Keep the list of groups until the pipe ends, then kill what is on it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    with os.fdopen(int(sys.argv[1])) as pipe:
        for line in pipe:
            (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


if __name__ == "__main__":
    main()
