"""What can be said of a service before it starts: everything that it names, imported and compared."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from litgen_runtime.imports import resolve, resolve_handler, resolve_types
from litgen_runtime.settings import EndpointSettings, Settings
from litgen_runtime.tracebacks import describe

_HEAVY = ("torch", "tensorflow", "jax", "transformers")


def warnings_of(settings: Settings) -> Iterator[str]:
    """Yield what works but costs: schemas that pull a framework into the HTTP process."""
    modules = {e.request.partition(":")[0] for e in settings.endpoints.values()}
    modules |= {e.response.partition(":")[0] for e in settings.endpoints.values()}
    for module in sorted(modules):
        code = f"import sys, {module}; print(*[name for name in {_HEAVY!r} if name in sys.modules])"
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 - the owner's own module
        if heavy := found.stdout.split():
            yield (
                f"{module} imports {', '.join(heavy)}; expected pydantic only, since the HTTP process imports it too. "
                "Move the import to the model's module."
            )


def problems(settings: Settings) -> list[str]:
    """Return what would keep the service from starting, as far as imports tell; its keys are ``access.py``'s."""
    found = [problem for name, endpoint in settings.endpoints.items() for problem in _endpoint(name, endpoint)]
    return found + list(_configure(settings.service.configure))


def _configure(reference: str | None) -> Iterator[str]:
    if reference is None:
        return
    try:
        resolve(reference, "service.configure")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the owner's modules may raise anything
        yield describe(error)


def _endpoint(name: str, endpoint: EndpointSettings) -> Iterator[str]:
    key = f"endpoints.{name}"
    try:
        request, response = resolve_types(key, endpoint.request, endpoint.response, endpoint.response_type)
        tables = {"batching": endpoint.batching is not None, "streaming": endpoint.streaming is not None}
        resolve_handler(endpoint.handler, key, request, response, **tables)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the owner's modules may raise anything
        yield f"{key}: {describe(error)}"
