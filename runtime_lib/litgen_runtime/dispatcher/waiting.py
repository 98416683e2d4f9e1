"""What waits for a worker: a bounded queue, in order of arrival. A pure core."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from litgen_runtime.dispatcher.ticket import Ticket


class Waiting:
    """The requests that no worker holds.

    Args:
        max_size: the most requests that may wait.
        max_bytes: the most bytes that their bodies may hold.
    """

    def __init__(self, max_size: int, max_bytes: int) -> None:
        self._max_size = max_size
        self._max_bytes = max_bytes
        self._tickets: OrderedDict[int, Ticket] = OrderedDict()
        self._suspects: OrderedDict[int, Ticket] = OrderedDict()
        self.count = 0
        self.bytes = 0
        self.arriving = 0  # bytes that have arrived of bodies that are not complete
        self.is_closed = False  # nothing may wait any more

    def __iter__(self) -> Iterator[Ticket]:
        yield from self._suspects.values()
        yield from self._tickets.values()

    def has_room(self, size: int, held: int = 0) -> bool:
        """Whether a newcomer of so many bytes, or one with ``held`` bytes of so many more, may wait; one alone may."""
        total = self.bytes + self.arriving
        return (held > 0 or self.count < self._max_size) and (total == held or total + size <= self._max_bytes)

    def add(self, ticket: Ticket) -> None:
        """Take a newcomer."""
        self._tickets[ticket.id] = ticket
        self._count(ticket)

    def put_back(self, tickets: Iterable[Ticket]) -> None:
        """Take requests back that a worker never ran: they come first again, in their order."""
        for ticket in sorted(tickets, key=lambda ticket: ticket.id, reverse=True):
            self._tickets[ticket.id] = ticket
            self._tickets.move_to_end(ticket.id, last=False)
            self._count(ticket)

    def suspect(self, ticket: Ticket) -> None:
        """Take a request back that ran when its worker died: it goes alone."""
        self._suspects[ticket.id] = ticket
        self._count(ticket)

    def remove(self, ticket: Ticket) -> bool:
        """Take a request out; False if it is not here."""
        for tickets in (self._tickets, self._suspects):
            if tickets.pop(ticket.id, None) is not None:
                self._discount(ticket)
                return True
        return False

    def close(self) -> list[Ticket]:
        """Take everything out, for good: nobody will look here again."""
        self.is_closed = True
        tickets = list(self)
        for ticket in tickets:
            self.remove(ticket)
        return tickets

    def next_suspect(self) -> Ticket | None:
        """Take the oldest suspect."""
        return self._taken(self._suspects)

    def next(self) -> Ticket | None:
        """Take the oldest request that is no suspect."""
        return self._taken(self._tickets)

    @property
    def suspects(self) -> int:
        """How many requests have to go alone."""
        return len(self._suspects)

    @property
    def oldest(self) -> Ticket | None:
        """The request that has waited longest."""
        return next(iter(self), None)

    def _taken(self, tickets: OrderedDict[int, Ticket]) -> Ticket | None:
        if not tickets:
            return None
        _, ticket = tickets.popitem(last=False)
        self._discount(ticket)
        return ticket

    def _count(self, ticket: Ticket) -> None:
        self.count += 1
        self.bytes += ticket.size

    def _discount(self, ticket: Ticket) -> None:
        self.count -= 1
        self.bytes -= ticket.size
