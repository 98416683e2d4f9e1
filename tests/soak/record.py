"""What clients, the receiver of webhooks and the store say of jobs, and whether it is the same: a pure core."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

ENDS = frozenset({"succeeded", "failed", "canceled", "expired"})
_BLAMELESS = frozenset({"kills-workers"})  # what is killed again while it runs alone is taken for a killer


@dataclass(frozen=True)
class Recorded:
    """A job as the store has it.

    Args:
        job_id: its id.
        status: where it stands.
        attempt: how many attempts there were.
        code: of the error that it ended with.
        ends: how many events of it are ends.
        value: of its result: the key that it was handed in with.
        deliveries: the ids of its webhooks, and where they stand.
    """

    job_id: str
    status: str
    attempt: int = 1
    code: str | None = None
    ends: int = 1
    value: str | None = None
    deliveries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Told:
    """A webhook that was received.

    Args:
        webhook_id: its id.
        type: of what it tells.
        body: its bytes.
        value: of the result that it has; None where that is too large to be told.
        taken: whether it was answered with 2xx.
    """

    webhook_id: str
    type: str
    body: bytes
    value: str | None
    taken: bool


def complaints(
    acknowledged: Mapping[str, set[str]], record: Mapping[str, Sequence[Recorded]], told: Mapping[str, Sequence[Told]]
) -> list[str]:
    """Return what is wrong, a line each.

    Args:
        acknowledged: the ids that each key was acknowledged with.
        record: the jobs of each key.
        told: the webhooks of each job.
    """
    words = [f"{key}: in the record, but never acknowledged" for key in record.keys() - acknowledged.keys()]
    known = {job.job_id for jobs in record.values() for job in jobs}
    words += [f"{job_id}: told of, but not in the record" for job_id in told.keys() - known]
    for key, ids in acknowledged.items():
        words += [f"{key}: {line}" for line in _of_one(key, ids, record.get(key, ()), told)]
    return words


def duplicates(told: Mapping[str, Sequence[Told]]) -> int:
    """Return how many webhooks came that had been taken before."""
    taken = Counter(each.webhook_id for posts in told.values() for each in posts if each.taken)
    return sum(count - 1 for count in taken.values())


def _of_one(key: str, ids: set[str], jobs: Sequence[Recorded], told: Mapping[str, Sequence[Told]]) -> Iterator[str]:
    if len(ids) != 1 or len(jobs) != 1 or {job.job_id for job in jobs} != ids:
        yield f"acknowledged as {sorted(ids)}, in the record as {sorted(job.job_id for job in jobs)}"
        return
    (job,) = jobs
    posts = told.get(job.job_id, ())
    if job.status not in ENDS:
        yield f"lost: it is {job.status}"
    elif job.status != "succeeded" and job.code not in _BLAMELESS:
        yield f"it is {job.status} ({job.code})"
    if job.ends != 1:
        yield f"it has ended {job.ends} times"
    if list(job.deliveries.values()) != ["delivered"]:
        yield f"its webhooks are {dict(job.deliveries)}"
    if {each.webhook_id for each in posts} != job.deliveries.keys():
        yield f"the receiver knows {sorted({each.webhook_id for each in posts})}, the record {sorted(job.deliveries)}"
    if not any(each.taken for each in posts):
        yield "no webhook of it was taken"
    if len({each.body for each in posts}) > 1 or {each.type for each in posts} - {f"job.{job.status}"}:
        yield f"it is {job.status}, and was told of as {sorted({each.type for each in posts})}"
    values = {job.value, *(each.value for each in posts if each.value is not None)}
    if job.status == "succeeded" and values != {key}:
        yield f"mixed up: its result is {job.value}, and was told of as {sorted(map(str, values))}"
