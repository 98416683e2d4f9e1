from __future__ import annotations

import pytest

from litgen_runtime.supervisor.environment import worker_environment
from litgen_runtime.supervisor.plan import plan_workers
from litgen_runtime.worker.spec import WorkerSpec
from tests.unit.runtime.mini import choices

THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def spec(cuda: int = 0, cores: int = 8, **workers: object) -> WorkerSpec:
    """Return the first worker of a service."""
    return plan_workers(choices(workers=workers), cuda, cores)[0]


def test_a_share_of_the_cores() -> None:
    """Every library is told the worker's share, and that idle threads sleep."""
    environment = worker_environment(spec(per_device=2), {"HOME": "/home/x"})
    assert {environment[name] for name in THREADS} == {"4"}
    assert (environment["OMP_WAIT_POLICY"], environment["KMP_BLOCKTIME"]) == ("PASSIVE", "0")
    assert environment["HOME"] == "/home/x"


def test_a_number_of_threads() -> None:
    """A number in service.toml wins over the share."""
    assert worker_environment(spec(threads=3), {})["OMP_NUM_THREADS"] == "3"


def test_what_the_owner_has_set_stays() -> None:
    """A variable that is there already is left alone."""
    environment = worker_environment(spec(), {"MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "ACTIVE"})
    assert (environment["MKL_NUM_THREADS"], environment["OMP_NUM_THREADS"]) == ("1", "8")
    assert environment["OMP_WAIT_POLICY"] == "ACTIVE"


def test_openmp_speaks_for_the_others() -> None:
    """Libraries that follow OMP_NUM_THREADS go on following the owner's."""
    environment = worker_environment(spec(), {"OMP_NUM_THREADS": "2"})
    assert [environment.get(name) for name in THREADS] == ["2", None, None, None, None]


def test_a_gpu_worker_is_left_alone() -> None:
    """Where a GPU does the work nothing is set, unless service.toml says a number."""
    assert worker_environment(spec(cuda=1), {"A": "b"}) == {"A": "b"}
    assert worker_environment(spec(cuda=1, threads=2), {})["OMP_NUM_THREADS"] == "2"


def test_no_secrets() -> None:
    """Nor what signs webhooks, under whatever name the owner gives it."""
    assert worker_environment(spec(), {"HOOKS": "x", "HOME": "y"}, {"HOOKS"}).keys() & {"HOOKS", "HOME"} == {"HOME"}


@pytest.mark.parametrize("name", ["SHUTDOWN_API_KEY", "SHUTDOWN_API_KEY_FILE"])
def test_no_keys(name: str) -> None:
    """A model never sees what opens POST /shutdown."""
    assert name not in worker_environment(spec(), {name: "x"})
