"""The environment that a worker starts in: its share of the cores, and nothing that only the service may know."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from litgen_runtime.worker.spec import WorkerSpec

_OPENMP = "OMP_NUM_THREADS"
_THREADS = (
    _OPENMP,
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
# A thread that has nothing to do sleeps instead of spinning on the core that another worker needs.
_PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
_KEYS = "SHUTDOWN_API_KEY"


def worker_environment(spec: WorkerSpec, environ: Mapping[str, str], hidden: Collection[str] = ()) -> dict[str, str]:
    """Return a worker's environment: native libraries read their number of threads from it as they load.

    What the owner has set stays: each variable by itself, and with ``OMP_NUM_THREADS`` all that follow it.

    Args:
        spec: the worker.
        environ: the service's own environment.
        hidden: what of it a worker is not to have.
    """
    given = {key: value for key, value in environ.items() if not key.startswith(_KEYS) and key not in hidden}
    if spec.threads is None:
        return given
    threads = {} if _OPENMP in given else dict.fromkeys(_THREADS, str(spec.threads))
    return {**_PASSIVE, **threads, **given}
