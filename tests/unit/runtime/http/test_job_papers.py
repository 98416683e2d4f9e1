"""What is shown of a job is JSON, whatever its result is."""

from __future__ import annotations

import json

import pytest

from litgen_runtime.http.job_papers import output_of
from litgen_runtime.http.webhook_papers import webhook_of
from litgen_runtime.jobs.record import Job, Status
from litgen_runtime.jobs.store import Payload

JOB = Job("job_1", "embed", "", Status.SUCCEEDED, 1.0, 1.0, finished_at=2.0, keep_until=3.0)


def shown(data: bytes, content_type: str = "application/json") -> str:
    """Return the body of the webhook of a job with this result, as a strict reader reads it."""
    body = webhook_of("job.succeeded", 2.0, JOB, Payload(content_type, len(data), data), "/base")
    document = json.loads(body, parse_constant=lambda name: pytest.fail(name), parse_int=str, parse_float=str)
    assert (document["type"], document["data"]["job"]["urls"]["get"]) == ("job.succeeded", "/base/v1/jobs/job_1")
    return str(document["data"]["job"]["output"])


@pytest.mark.parametrize("data", [b"9" * 5000, b"1e999", b"0.1000000000000000055511151231257827"])
def test_numbers_that_python_does_not_hold(data: bytes) -> None:
    """They are shown as they stand."""
    assert shown(data) == data.decode()


@pytest.mark.parametrize(
    "data", [b"", b"{", b"NaN", b"[-Infinity]", b"\xff", "\ufeff1".encode(), b"[" * 10_000, b"1 2"]
)
def test_what_is_no_json(data: bytes) -> None:
    """It is not shown: an owner may call any bytes JSON."""
    assert shown(data) == "None"


def test_what_is_deep() -> None:
    """It is shown, or not, and nothing breaks over it."""
    for depth in range(900, 1000):
        data = b"[" * depth + b"]" * depth
        assert output_of("application/json", data) in (data, b"null")
        assert webhook_of("job.succeeded", 2.0, JOB, Payload("application/json", len(data), data), "")


def test_what_is_large_or_of_another_type() -> None:
    """It is fetched."""
    assert shown(b'"%s"' % (b"x" * 20_000)) == shown(b"1", "text/plain") == "None"
