"""A service without jobs: nothing of them is imported, in none of its processes (docs/behavior.md, 9)."""

from pathlib import Path

import pytest

from tests.faults import inside
from tests.receivers import SECRET
from tests.services import Running, config, serving, square

OF_JOBS = (
    "litgen_runtime.jobs",
    "litgen_runtime.webhooks",
    "litgen_runtime.http.job_",
    "sqlite3",
    "_sqlite3",
    "aiohttp",
)
OF_A_CLIENT = {"urllib.request", "http.client", "ssl"}
PROCESSES = ("litgen_runtime", "litgen_runtime.http", "litgen_runtime.worker", "litgen_runtime.supervisor.guardian")


def imported(folder: Path) -> dict[str, set[str]]:
    """Return what each process of a service has imported, by what it was started with behind ``-m``."""
    found: dict[str, set[str]] = {}
    for file in folder.iterdir():
        command, *modules = file.read_text().splitlines()
        words = command.split()
        found.setdefault(words[words.index("-m") + 1], set()).update(modules)
    return found


def used(folder: Path, *, jobs: bool) -> dict[str, set[str]]:
    """Run a service and use all that there is without jobs; return what it has imported."""
    imports = folder / "imports"
    imports.mkdir()
    path = config(folder, {"square": square(jobs=jobs)})
    with serving(path, env={"HOOK_KEYS": SECRET, **inside.env(imports=imports)}) as service:
        _use(service)
    return imported(imports)


def of_jobs(modules: set[str]) -> list[str]:
    """Return those that are there for jobs; the command that asks a service for them is everybody's."""
    mine = sorted(name for name in modules if name.startswith(OF_JOBS))
    return [name for name in mine if not name.startswith("litgen_runtime.jobs_command")]


def _use(service: Running) -> None:
    assert service.post("/square", {"x": 3}).json() == {"x": 9}
    assert service.post("/square", {"x": 3}, headers={"Prefer": "respond-async"}).status_code in (200, 202)
    for path in ("/health", "/metrics", "/openapi.json", "/docs", "/v1/jobs"):
        service.get(path)


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What is imported without jobs."""
    return used(tmp_path_factory.mktemp("without"), jobs=False)


@pytest.mark.parametrize("process", PROCESSES)
def test_nothing_of_jobs_is_imported(without: dict[str, set[str]], process: str) -> None:
    """Neither their code nor what it stands on."""
    assert without[process], "it says what it imports"
    assert not of_jobs(without[process])
    assert process != "litgen_runtime" or not without[process] & OF_A_CLIENT, "the command's, which a supervisor is not"


def test_that_would_be_seen(tmp_path: Path) -> None:
    """With jobs the HTTP process imports them, and no other one does; without webhooks nobody has a client."""
    found = used(tmp_path, jobs=True)
    seen = {process for process, names in found.items() if of_jobs(names)}
    assert seen == {"litgen_runtime.http"}
    assert not [
        name for name in found["litgen_runtime.http"] if name.startswith(("aiohttp", "litgen_runtime.webhooks"))
    ]
