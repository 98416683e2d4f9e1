"""What a service gives back: answers, and what it tells of jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ENDED = frozenset({"succeeded", "failed", "canceled", "expired"})


@dataclass(frozen=True)
class Answer:
    """An answer of the service.

    Args:
        status: the HTTP status.
        headers: by name in lower case.
        content: the bytes of the body.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """Return what the body says as JSON.

        Raises:
            ValueError: it is none.
        """
        return json.loads(self.content)


@dataclass(frozen=True)
class Job:
    """A job as it was when the service told of it.

    Args:
        id: what it is asked after by.
        status: ``queued``, ``running``, ``succeeded``, ``failed``, ``canceled`` or ``expired``.
        progress: a share of 0 to 1, if its model has said one.
        note: what the model has said with it.
        error: a problem document, if it has failed.
        document: all that the service tells of it.
    """

    id: str
    status: str
    progress: float | None = None
    note: str | None = None
    error: Mapping[str, Any] | None = None
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Job:
        """Return the job that a document is about.

        Raises:
            KeyError: it is about none.
        """
        told = {key: document.get(key) for key in ("progress", "note", "error")}
        return cls(document["id"], document["status"], **told, document=document)

    @property
    def has_ended(self) -> bool:
        """Whether it has come to its end, which is final."""
        return self.status in ENDED
