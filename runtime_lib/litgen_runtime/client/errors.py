"""What a client of a service can meet.

::

    LitgenError
    └── ClientError        it was not done; the message says why
        ├── Refused          the service has answered with an error, or the job has come to one
        ├── Unreachable      there was no answer, however often it was tried
        └── NotInTime        it is not done yet, and the time that the caller gave is over
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litgen_runtime.errors import LitgenError


class ClientError(LitgenError):
    """What was asked for was not done; the message says why."""


class Refused(ClientError):
    """The service has answered with an error.

    Args:
        status: the HTTP status; of a job that failed, what its call would have been answered with.
        problem: the problem document (RFC 9457); whoever answers without one has ``detail`` in it at least.
        retry_after_s: when the service wishes to be asked again, in seconds; None if it does not say.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after_s: float | None = None) -> None:
        self.status = status
        self.problem = dict(problem)
        self.code = str(self.problem.get("code", ""))
        self.detail = str(self.problem.get("detail", ""))
        self.retry_after_s = retry_after_s
        super().__init__(f"{status} {self.code}: {self.detail}" if self.code else f"{status}: {self.detail}")


class Unreachable(ClientError):
    """There is no answer.

    Args:
        message: why.
        was_sent: whether anything of the request may have reached the service.
    """

    def __init__(self, message: str, *, was_sent: bool) -> None:
        super().__init__(message)
        self.was_sent = was_sent


class NotInTime(ClientError):
    """It is not done within the time that the caller gave; it may be done yet."""
