from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.soak.record import Recorded, Told, complaints, duplicates

JOB = Recorded("job_a", "succeeded", value="a", deliveries={"msg_a": "delivered"})
POST = Told("msg_a", "job.succeeded", b"{}", "a", taken=True)


def other(what: Any, **changes: Any) -> Any:
    """Return it with something else about it."""
    return type(what)(**{**vars(what), **changes})


def found(
    ids: set[str] | None = None, jobs: Sequence[Recorded] = (JOB,), posts: Sequence[Told] = (POST,)
) -> Sequence[str]:
    """Return the complaints about one key, and at most one job."""
    told: Mapping[str, Sequence[Told]] = {"job_a": posts} if posts else {}
    return complaints({"a": {"job_a"} if ids is None else ids}, {"a": jobs}, told)


def test_nothing_is_wrong() -> None:
    """One job, one end, one webhook; that may come again, and be refused before."""
    assert found() == []
    again = [other(POST, taken=False), POST, POST]
    assert found(posts=again) == []
    assert duplicates({"job_a": again}) == 1
    assert found(posts=[other(POST, value=None)]) == [], "its result is too large"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"jobs": []}, "in the record as []"),
        ({"jobs": [JOB, other(JOB, job_id="job_b")]}, "in the record as"),
        ({"ids": {"job_a", "job_b"}}, "acknowledged as"),
        ({"jobs": [other(JOB, status="running", ends=0)]}, "lost"),
        ({"jobs": [other(JOB, ends=2)]}, "ended 2 times"),
        ({"jobs": [other(JOB, status="failed", code="worker-died")]}, "it is failed (worker-died)"),
        ({"jobs": [other(JOB, deliveries={"msg_a": "pending"})]}, "its webhooks are"),
        ({"jobs": [other(JOB, deliveries={})]}, "its webhooks are"),
        ({"posts": []}, "no webhook of it was taken"),
        ({"posts": [other(POST, taken=False)]}, "no webhook of it was taken"),
        ({"posts": [POST, other(POST, webhook_id="msg_b")]}, "the receiver knows"),
        ({"posts": [POST, other(POST, body=b"[]")]}, "was told of as"),
        ({"posts": [other(POST, type="job.failed")]}, "was told of as"),
        ({"posts": [other(POST, value="b")]}, "mixed up"),
        ({"jobs": [other(JOB, value="b")]}, "mixed up"),
    ],
)
def test_what_is_wrong(wrong: dict[str, Any], words: str) -> None:
    """Lost, doubled, not told, told of under two names, told otherwise: all are noticed."""
    assert words in "\n".join(found(**wrong))


def test_what_nobody_asked_for() -> None:
    """A job that was never acknowledged, and a webhook of a job that there is not, are noticed."""
    words = complaints({}, {"a": [JOB]}, {"job_b": [POST]})
    assert len(words) == 2
