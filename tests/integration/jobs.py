"""What the tests of jobs share."""

from __future__ import annotations

from typing import Any

import httpx

from tests.services import Running, eventually

ENDED = ("succeeded", "failed", "canceled", "expired")


def submit(service: Running, path: str, document: Any, wait: int | None = None, **headers: str) -> httpx.Response:
    """Hand a job in; keywords are headers, with ``_`` for ``-``."""
    prefer = "respond-async" if wait is None else f"respond-async, wait={wait}"
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return service.post(path, document, headers={"Prefer": prefer, **more})


def accepted(service: Running, path: str, document: Any, **headers: str) -> str:
    """Hand a job in that is accepted, and return its id."""
    answer = submit(service, path, document, None, **headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def job_of(service: Running, job_id: str) -> dict[str, Any]:
    """Ask after a job."""
    answer = service.get(f"/v1/jobs/{job_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ended(service: Running, job_id: str, timeout_s: float = 20.0) -> dict[str, Any]:
    """Return a job once it has ended."""
    found: dict[str, Any] = eventually(lambda: _terminal(service, job_id), timeout_s)
    assert found, job_of(service, job_id)
    return found


def stands(service: Running, job_id: str, status: str) -> bool:
    """Wait until a job stands there."""
    return bool(eventually(lambda: job_of(service, job_id)["status"] == status))


def _terminal(service: Running, job_id: str) -> dict[str, Any] | None:
    job = job_of(service, job_id)
    return job if job["status"] in ENDED else None
