"""Who may ask what of jobs."""

from __future__ import annotations

import asyncio
import hashlib
from types import SimpleNamespace
from typing import Any

import pytest

from litgen_runtime.api_keys import Keyring
from litgen_runtime.errors import Forbidden, Unauthorized
from litgen_runtime.http.callbacks import Callbacks
from litgen_runtime.http.gate import Gate
from litgen_runtime.http.jobs_api import JobsApi
from litgen_runtime.jobs.record import Job, Status

KEYS = Keyring((name, hashlib.sha256(name.encode()).digest()) for name in ("alice", "bob"))


def api(principal: str) -> JobsApi:
    """Return the routes of a service with one job, of this principal, at an endpoint that is alice's alone by now."""

    async def get(job_id: str, owner: str) -> Job:
        return Job(job_id, "embed", principal, Status.FAILED, 1.0, 1.0)

    desk: Any = SimpleNamespace(ledger=SimpleNamespace(get=get))
    return JobsApi(
        desk, Gate(KEYS), Callbacks(None), {"embed": Gate(KEYS, {"alice"})}, lambda change: None, is_open=True
    )


@pytest.mark.parametrize(("who", "refusal"), [("bob", Forbidden), ("", Unauthorized)])
def test_doing_again_what_one_may_not_do_any_more(who: str, refusal: type[Exception]) -> None:
    """An endpoint that was closed to somebody is closed to their old jobs too."""
    headers = [(b"x-api-key", who.encode())] if who else []
    scope = {"path": f"/v1/jobs/job_{'0' * 26}/retry", "method": "POST", "headers": headers}

    async def nothing(*_: Any) -> Any:
        pytest.fail("nobody is answered")

    with pytest.raises(refusal):
        asyncio.run(api(who)(scope, nothing, nothing))
