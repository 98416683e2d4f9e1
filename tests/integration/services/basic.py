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


class Accelerated(BatchEndpoint[Number, Number]):
    """Fails as a GPU does, by the numbers: it holds 4 at once, 13 breaks it, 99 never fits."""

    def __init__(self) -> None:
        self._broken = False

    def predict(self, batch: list[Number]) -> list[Number]:
        """Return the batch, if it fits."""
        time.sleep(0.1)
        numbers = [item.x for item in batch]
        if self._broken or 13 in numbers:
            self._broken = True
            raise RuntimeError("CUDA error: device-side assert triggered\nCUDA kernel errors might be asynchronous")
        if len(batch) > 4 or 99 in numbers:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return batch


class AcceleratedAlone(Endpoint[Number, Number]):
    """The same for one request."""

    def __init__(self) -> None:
        self._inner = Accelerated()

    def predict(self, request: Number) -> Number:
        """Return it."""
        return self._inner.predict([request])[0]


def _refused(item: Number) -> HTTPError:
    return HTTPError(409, f"{item.x:g} is not wanted", {"X-Unlucky": "yes"})
