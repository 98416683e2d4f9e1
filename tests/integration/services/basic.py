"""Endpoints that do their work."""

import time

from litgen_runtime import BatchEndpoint, Endpoint, HTTPError
from tests.integration.services.schemas import Echo, Number


class Square(Endpoint[Number, Number]):
    """Squares modulo a million, so that every answer is a valid number too."""

    def predict(self, request: Number) -> Number:
        """Return the square."""
        return Number(x=request.x * request.x % 1e6)


class Repeat(Endpoint[Echo, Echo]):
    """Gives back what it gets."""

    def predict(self, request: Echo) -> Echo:
        """Return the request."""
        return request


class Later(Endpoint[Number, Number]):
    """Is a coroutine."""

    async def predict(self, request: Number) -> Number:
        """Return the request; a negative number ends the interpreter, if that is let happen."""
        if request.x < 0:
            raise SystemExit(int(request.x))
        return request


class Slow(Endpoint[Number, Number]):
    """Takes as many seconds as the number says."""

    def predict(self, request: Number) -> Number:
        """Sleep, and return the request."""
        time.sleep(request.x)
        return request


class Batch(BatchEndpoint[Number, Number]):
    """Goes wrong in a way of its own for each negative number."""

    def predict(self, batch: list[Number]) -> list[Number | BaseException]:
        """Return the batch."""
        first = batch[0].x
        if first == -1:
            raise ValueError("a secret word")
        if first == -2:
            return [*batch, *batch]
        if first == -3:
            return []
        if first == -4:
            raise HTTPError(429, "the whole batch is too much")
        if first == -5:
            return None  # type: ignore[return-value]  # what an owner may forget
        time.sleep(0.2)
        return [_refused(item) if item.x == 13 else item for item in batch]


def _refused(item: Number) -> HTTPError:
    return HTTPError(409, f"{item.x:g} is not wanted", {"X-Unlucky": "yes"})
