"""What a server's processes take: memory, processor time; and how they are ended."""

import http.client
import resource
import sys
import time

import psutil

from tests.benchmarks.errors import BenchmarkError

_STOP_S = 3.0  # nothing is measured any more, and some wait long for connections that are gone
_CPUCLOCK_SCHED = 2
"""Source: include/linux/posix-timers_types.h, which says how a process's clock is numbered."""


def tree(pid: int) -> list[psutil.Process]:
    """The process and all its descendants."""
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def serving(processes: list[psutil.Process], port: int, probe: str) -> psutil.Process:
    """The one process that holds a connection which is made now: the HTTP process.

    Raises:
        BenchmarkError: If there is no such process.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", probe)
        connection.getresponse().read()
        ours = connection.sock.getsockname()[1]
        for process in processes:
            if any(getattr(held.raddr, "port", None) == ours for held in process.net_connections("tcp")):
                return process
    finally:
        connection.close()
    raise BenchmarkError(f"no process of the server holds the connection to port {port}; expected one to serve it.")


def resident_mb(process: psutil.Process) -> float:
    """Resident memory in MB (10^6 bytes)."""
    return float(process.memory_info().rss) / 1e6


def spent_s(processes: list[psutil.Process]) -> list[float]:
    """Processor time that each process has taken so far, in seconds."""
    return [_cpu_s(process) for process in processes]


def children_s() -> float:
    """Processor time of all our children that have ended: between two readings, that of wrk."""
    times = resource.getrusage(resource.RUSAGE_CHILDREN)
    return times.ru_utime + times.ru_stime


def machine_s() -> tuple[float, float]:
    """Processor time of the whole machine so far: in use, and all there was."""
    times = psutil.cpu_times()
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)  # in user and nice, too
    return total - times.idle - getattr(times, "iowait", 0.0), total


def stop(pid: int) -> None:
    """End a server that we started, politely first, with whatever it leaves behind."""
    try:
        processes = tree(pid)
    except psutil.NoSuchProcess:
        return
    processes[0].terminate()
    psutil.wait_procs(processes[:1], timeout=_STOP_S)
    _, left = psutil.wait_procs(processes, timeout=0.2)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=_STOP_S)


def _cpu_s(process: psutil.Process) -> float:
    """Processor time of all threads so far: to the nanosecond on Linux, in steps of 10 ms elsewhere."""
    if sys.platform == "linux":
        return time.clock_gettime((~process.pid << 3) | _CPUCLOCK_SCHED)
    times = process.cpu_times()
    return float(times.user + times.system)
