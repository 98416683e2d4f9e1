"""What becomes of jobs as time passes, within a transaction: the due begin, the late end, the old go."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from litgen_runtime.errors import InternalError
from litgen_runtime.jobs import machine
from litgen_runtime.jobs.machine import Failed, Rules
from litgen_runtime.jobs.record import Job
from litgen_runtime.jobs.store import Payload, Rows

STEP = 200  # jobs that are ended or deleted in one transaction: the next one is not to wait for long
_NO_BODY = InternalError("What this job was asked with is lost. Submit it anew.")

RulesOf = Callable[[Job], Rules]
Note = Callable[[Rows, Job, float], Job]
"""Writes what a job has become, and whom to tell."""


class Begun(NamedTuple):
    """Jobs that have begun, with what they were asked with, and jobs that stood before them and have ended."""

    taken: list[tuple[Job, Payload]]
    over: list[Job]


class Swept(NamedTuple):
    """Jobs that have ended or are to end, the names of files that nobody needs, and whether there may be more."""

    over: list[Job]
    names: list[str]
    is_more: bool


def begin(rows: Rows, endpoint: str, limit: int, now: float, rules_of: RulesOf, note: Note) -> Begun:
    """Begin up to so many jobs; end what stands before them and is past its time."""
    begun = Begun([], [])
    while True:
        before = len(begun.over)
        for job in rows.waiting(endpoint, now, limit - len(begun.taken)):
            _begin(rows, job, now, rules_of(job), note, begun)
        if len(begun.taken) == limit or not before < len(begun.over) < STEP:
            return begun


def _begin(rows: Rows, job: Job, now: float, rules: Rules, note: Note, begun: Begun) -> None:
    new, body = machine.claimed(job, now), rows.body(job.id)
    if new is not None and body is not None:
        begun.taken.append((note(rows, new, now), body))
        return
    lost = new and machine.settled(new, new.fence, Failed(_NO_BODY.to_json(), again=False), rules, now)
    late = lost or machine.overtaken(job, rules, now)
    if late is not None:
        begun.over.append(note(rows, late, now))


def sweep(rows: Rows, now: float, rules_of: RulesOf, note: Note) -> Swept:
    """End what waits past its time, wish the end of what runs past it, delete what is old: one step of it."""
    late, old = rows.overtaken(now, STEP), rows.old(now, STEP)
    ended = [new for job in late if (new := machine.overtaken(job, rules_of(job), now)) is not None]
    over = [note(rows, new, now) for new in ended]
    names: list[str] = []
    for job in old:
        names += rows.strip(job.id)
        rest = machine.stripped(job, rules_of(job))
        if rest is None:
            rows.delete(job.id)
        else:
            rows.put(rest)
    return Swept(over, names, max(len(late), len(old)) >= STEP)
