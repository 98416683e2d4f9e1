"""The service around the models: probes, OpenAPI and errors."""

from typing import Any

import httpx
import pytest


@pytest.mark.parametrize("probe", ["/livez", "/readyz", "/health"])
def test_probes_say_that_all_is_well(client: httpx.Client, probe: str) -> None:
    """With every model loaded, an orchestrator gets 200 from each probe."""
    assert client.get(probe).status_code == 200


def test_openapi_describes_every_endpoint(client: httpx.Client, endpoints: dict[str, Any]) -> None:
    """Clients can be generated: each path of service.toml is in the document."""
    document = client.get("/openapi.json").json()
    assert {table["path"] for table in endpoints.values()} <= set(document["paths"])


def test_malformed_json_is_the_clients_error(
    client: httpx.Client, endpoints: dict[str, Any]
) -> None:
    """A broken body gets 4xx as problem details that carry the request's id, never 500."""
    paths = [table["path"] for table in endpoints.values() if ".schemas:" in table["request"]]
    for path in paths:
        response = client.post(
            path,
            content=b'{"text":',
            headers={"Content-Type": "application/json", "X-Request-ID": "from-the-test"},
        )
        assert 400 <= response.status_code < 500
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["x-request-id"] == "from-the-test"


def test_an_unknown_path_is_not_found(client: httpx.Client) -> None:
    """What the service does not have is 404."""
    assert client.get("/nothing-here").status_code == 404
