from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"litgen_runtime": ROOT / "runtime_lib", "litgen_generator": ROOT / "generator"}
FILES = {
    ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__"): path
    for package, folder in PACKAGES.items()
    for path in (folder / package).rglob("*.py")
}
RUNTIME = sorted(name for name in FILES if name.startswith("litgen_runtime"))
STDLIB = sys.stdlib_module_names

# What a part of the runtime may import, besides itself: DESIGN.md's order, from the bottom to the top.
BASE = {"_version", "errors", "endpoint", "folders", "tracebacks", "logs", "groups", "upload"}
MESSAGES = BASE | {"settings", "validation", "imports", "devices"}
CORE = MESSAGES | {"batching", "transport"}
ALLOWED = {
    "_version": set(),
    "sendable": set(),
    "watched": set(),
    "errors": {"sendable"},
    "endpoint": set(),
    "folders": set(),
    "logs": set(),
    "groups": set(),
    "cores": set(),
    "testing": set(),
    "client": {"errors"},
    "batching": set(),
    "transport": set(),
    "tracebacks": {"errors"},
    "upload": {"errors"},
    "validation": {"errors"},
    "devices": {"errors"},
    "shutdown_keys": {"errors"},
    "api_keys": {"errors", "watched"},
    "access": {"errors", "api_keys", "settings"},
    "settings": {"errors"},
    "imports": {"errors", "endpoint"},
    "worker": CORE,
    "dispatcher": CORE,
    "jobs": CORE | {"dispatcher"},
    "webhooks": {"_version", "errors", "settings", "jobs", "watched"},
    "http": CORE | {"dispatcher", "jobs", "webhooks", "api_keys", "watched"},
    "supervisor": CORE | {"worker", "api_keys"},
    "check": MESSAGES,
    "service": CORE | {"access", "cores", "shutdown_keys", "supervisor"},
    "bench": CORE | {"http"},
    "jobs_command": MESSAGES | {"jobs", "service"},
    "cli": CORE | {"access", "api_keys", "bench", "check", "http", "jobs_command", "service", "supervisor", "webhooks"},
    "__main__": {"cli"},
    "": {"_version", "client", "endpoint", "errors", "service", "upload", "webhooks"},  # the package; three on demand
}


def is_typing_only(node: ast.AST) -> bool:
    """Say whether a node is there for type checkers alone."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def statements(node: ast.AST, *, at_import: bool) -> Iterator[ast.AST]:
    """Yield what is under a node; ``at_import``: only what runs when the module is imported."""
    for child in ast.iter_child_nodes(node):
        lazy = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) or is_typing_only(child)
        if not (at_import and lazy):
            yield child
            yield from statements(child, at_import=at_import)


@cache
def tree(module: str) -> ast.Module:
    """Return a module's syntax tree."""
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


@cache
def imports(module: str, *, at_import: bool = False) -> frozenset[str]:
    """Return the modules that a module imports: ours by their full names, others as they are written."""
    found: set[str] = set()
    for node in statements(tree(module), at_import=at_import):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative imports hide what is imported"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in FILES else str(node.module) for name in names}
    return frozenset(found)


def loaded(module: str) -> set[str]:
    """Return everything that importing a module loads, as far as our own code goes."""
    seen: set[str] = set()
    todo = [module]
    while todo:
        name = todo.pop()
        parts = name.split(".")
        parents = {".".join(parts[:end]) for end in range(1, len(parts))} & set(FILES)
        new = (({name} | parents) if name in FILES else {name}) - seen
        seen |= new
        todo += [found for ours in new & set(FILES) for found in imports(ours, at_import=True)]
    return seen


def outside(modules: Iterable[str]) -> set[str]:
    """The packages among modules that are neither ours nor Python's."""
    return {name.split(".")[0] for name in modules} - set(STDLIB) - set(PACKAGES)


def part(module: str) -> str:
    """Return which part of the runtime a module belongs to."""
    return [*module.split("."), ""][1]


@pytest.mark.parametrize("module", RUNTIME)
def test_imports_point_downward(module: str) -> None:
    """Each part of the runtime imports only what stands below it."""
    used = {part(name) for name in imports(module) if name.split(".")[0] == "litgen_runtime"} - {part(module)}
    assert used <= ALLOWED[part(module)]


def test_every_part_has_its_place() -> None:
    """A new part of the runtime has to be given a place in the order."""
    assert {part(module) for module in RUNTIME} == set(ALLOWED)


@pytest.mark.parametrize("module", sorted(FILES))
def test_two_products(module: str) -> None:
    """Generator and runtime never import each other."""
    (other,) = set(PACKAGES) - {module.split(".")[0]}
    assert other not in {name.split(".")[0] for name in imports(module)}


def test_worker_stays_light() -> None:
    """A worker imports nothing of the web side, nor anything heavy by itself: only pydantic."""
    modules = loaded("litgen_runtime.worker.__main__")
    assert outside(modules) == {"pydantic"}
    assert not [name for name in modules if name.startswith(("litgen_runtime.http", "litgen_runtime.dispatcher"))]
    everything = set().union(*(imports(name) for name in RUNTIME if part(name) == "worker"))
    # on demand: torch for a CUDA device, python_multipart for forms
    assert outside(everything) == {"pydantic", "torch", "python_multipart"}


def test_guardian_stays_tiny() -> None:
    """The guardian imports a few modules of Python's own, so that it starts in no time and has nothing to break."""
    modules = loaded("litgen_runtime.supervisor.guardian")
    assert outside(modules) == set()
    assert not {"asyncio", "logging", "socket", "subprocess"} & modules


def test_supervisor_stays_light() -> None:
    """The supervisor runs none of the owner's code and nothing of the web side."""
    assert outside(loaded("litgen_runtime.supervisor.supervisor")) == {"pydantic", "pydantic_core"}


def test_http_process_has_no_model() -> None:
    """The HTTP process never imports torch or a handler, and FastAPI only once it listens."""
    modules = [name for name in RUNTIME if part(name) in ("http", "dispatcher")]
    everything = set().union(*(imports(name) for name in modules))
    assert not outside(everything) & {"torch", "numpy", "tensorflow", "jax"}
    assert not outside(loaded("litgen_runtime.http.__main__")) & {"fastapi", "fastapi_offline", "starlette"}
    for module in modules:
        for node in ast.walk(tree(module)):
            assert not (isinstance(node, ast.Attribute) and node.attr == "handler"), f"{module} reads a handler"
            assert not (isinstance(node, ast.alias) and node.name == "resolve_handler"), f"{module} imports one"


@pytest.mark.parametrize("module", ["http.__main__", "http.site", "supervisor.supervisor", "worker.__main__", "cli"])
def test_jobs_are_loaded_on_demand(module: str) -> None:
    """Without an endpoint that takes jobs nothing of them is imported, nor a database."""
    modules = loaded(f"litgen_runtime.{module}")
    assert "sqlite3" not in modules
    of_jobs = ("litgen_runtime.jobs.", "litgen_runtime.http.job", "litgen_runtime.http.openapi_jobs")
    assert not [name for name in modules if name.startswith(of_jobs)]
