"""The service, started once for all tests, with real workers on a free port."""

import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from litgen_runtime import Client
from litgen_runtime.testing import running_service, webhooks_to

CONFIG = Path(__file__).parents[1] / "service.toml"
SECRET = "whsec_dGhlIHNlY3JldCBvZiB0aGVzZSB0ZXN0cyBhbG9uZQ=="


@pytest.fixture(scope="session")
def endpoints() -> dict[str, Any]:
    """The endpoints of service.toml, by name."""
    tables: dict[str, Any] = tomllib.loads(CONFIG.read_text("utf-8"))["endpoints"]
    return tables


@pytest.fixture(scope="session")
def receiver() -> Iterator[Any]:
    """A receiver of webhooks, that of examples/receiver.py, on a free port."""
    example = runpy.run_path(str(CONFIG.with_name("examples") / "receiver.py"))
    with example["Receiver"](0, [SECRET]) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="session")
def client(endpoints: dict[str, Any], receiver: Any) -> Iterator[httpx.Client]:
    """A client of the service; every model has loaded. A machine without a GPU is enough."""
    elsewhere = {
        f"LITGEN__ENDPOINTS__{name.upper()}__WORKERS__DEVICES": "auto"
        for name, table in endpoints.items()
        if table.get("workers", {}).get("devices", "auto") != "cpu"
    }
    told = webhooks_to(receiver.server_port, SECRET)
    with (
        running_service(CONFIG, env=elsewhere | told, own_store=True) as service,
        httpx.Client(base_url=service.url, timeout=60.0) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def jobs(client: httpx.Client) -> Client:
    """What the service's users have for jobs: it waits, and retries what is safe to retry."""
    return Client(str(client.base_url))
