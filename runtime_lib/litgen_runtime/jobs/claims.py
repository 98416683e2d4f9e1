"""What an engine is given to run, and what it says came of it."""

from __future__ import annotations

from typing import NamedTuple

from litgen_runtime.errors import RequestError
from litgen_runtime.jobs.machine import Outcome
from litgen_runtime.jobs.record import Job
from litgen_runtime.jobs.said import Said


class Claim(NamedTuple):
    """A job that has begun to run here, and what it was asked with, or why that cannot be read."""

    job: Job
    body: bytes | RequestError


class Settlement(NamedTuple):
    """What came of a claim; ``result``: its bytes and their type, if there are any; ``said``: what it said before."""

    job: Job
    outcome: Outcome
    result: tuple[str, bytes] | None = None
    said: Said | None = None
