"""What is known of one webhook, and of who wants any. Times are seconds since 1970."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol


class DeliveryStatus(StrEnum):
    """Where a delivery stands; each may be sent again."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Callback:
    """Who wants to be told of a job.

    Args:
        url: where.
        place: host and port of it, which count as one receiver.
        events: of what, such as ``completed``.
        base: the address that the client called the service by; links in what it is told begin with it.
    """

    url: str
    place: str
    events: frozenset[str]
    base: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook, as it is stored.

    Args:
        id: unique, and the same for all its attempts: the webhook-id.
        job: the id of the job that it tells of.
        type: of what it tells, such as ``job.succeeded``.
        url: where it goes.
        place: host and port of it.
        status: where it stands.
        created_at: when it was written.
        due: when the next attempt is to be made.
        step: how many attempts of the schedule have been made.
        attempts: how many in all.
        ended_at: when it was delivered or given up.
        last_at: when the latest attempt ended.
        last_status: the status of its answer.
        last_error: why it failed.
    """

    id: str
    job: str
    type: str
    url: str
    place: str
    status: DeliveryStatus
    created_at: float
    due: float
    step: int = 0
    attempts: int = 0
    ended_at: float | None = None
    last_at: float | None = None
    last_status: int | None = None
    last_error: str | None = None


class Line(NamedTuple):
    """What waits for one receiver because of one client: ``principal`` is whose jobs it tells of."""

    principal: str
    place: str


class Posting(NamedTuple):
    """A delivery, what is sent, and because of whom."""

    delivery: Delivery
    body: bytes
    principal: str = ""

    @property
    def line(self) -> Line:
        """Where it has waited."""
        return Line(self.principal, self.delivery.place)


class MailRows(Protocol):
    """What a work may do with deliveries in its transaction."""

    def callback(self, job_id: str) -> Callback | None:
        """Return who wants to be told of a job."""

    def add_delivery(self, delivery: Delivery, body: bytes) -> None:
        """Add a delivery."""

    def put_delivery(self, delivery: Delivery) -> None:
        """Write what has changed about a delivery; nothing happens if it is not there any more."""

    def delivery(self, delivery_id: str) -> Delivery | None:
        """Return a delivery."""

    def deliveries(self, job_id: str) -> Sequence[Delivery]:
        """Return those of a job, the earliest first."""

    def bring_deliveries_forward(self, later_than: float, to: float) -> None:
        """Have what waits for a far moment wait until another: the clock may have been set back since."""

    def lines(self) -> Sequence[tuple[Line, float]]:
        """Return where something is pending, and when the first of it is due."""

    def pending(self, line: Line, limit: int) -> Sequence[Posting]:
        """Return what is pending there, what is due first first."""
