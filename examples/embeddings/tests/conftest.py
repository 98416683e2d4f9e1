"""The service, started once for all tests, with real workers on a free port."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from litgen_runtime.testing import running_service

CONFIG = Path(__file__).parents[1] / "service.toml"


@pytest.fixture(scope="session")
def endpoints() -> dict[str, Any]:
    """The endpoints of service.toml, by name."""
    tables: dict[str, Any] = tomllib.loads(CONFIG.read_text("utf-8"))["endpoints"]
    return tables


@pytest.fixture(scope="session")
def client(endpoints: dict[str, Any]) -> Iterator[httpx.Client]:
    """A client of the service; every model has loaded. A machine without a GPU is enough."""
    elsewhere = {
        f"LITGEN__ENDPOINTS__{name.upper()}__WORKERS__DEVICES": "auto"
        for name, table in endpoints.items()
        if table.get("workers", {}).get("devices", "auto") != "cpu"
    }
    with (
        running_service(CONFIG, env=elsewhere) as service,
        httpx.Client(base_url=service.url, timeout=60.0) as client,
    ):
        yield client
