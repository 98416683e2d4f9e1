"""The classes that an owner's model derives from.

They hold no state and no machinery, so that a model file can be imported, subclassed and unit-tested alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar, get_args, get_origin

In = TypeVar("In")
Out = TypeVar("Out")


class _Model(ABC, Generic[In, Out]):
    """What the kinds share."""

    _is_stopped: Callable[[], bool] = staticmethod(lambda: False)
    _report: Callable[[float, str | None, int | None], None] = staticmethod(lambda share, note, index: None)

    def cancelled(self) -> bool:
        """Whether nobody waits any more for what ``predict`` works on: clients left, or the time is over.

        Long work should look now and then, and return or raise: ``asyncio.CancelledError``, unless the log is to have
        the error. An ``async def predict`` is cancelled instead.
        """
        return self._is_stopped()

    def setup(self, device: str) -> Awaitable[None] | None:
        """Load the model; runs once in each worker process, before the worker counts as ready.

        Args:
            device: ``"cpu"`` or ``"cuda:N"``; for torch it is already the current device.
        """
        return None


class Endpoint(_Model[In, Out]):
    """An endpoint that answers one request at a time."""

    @abstractmethod
    def predict(self, request: In) -> Out | Awaitable[Out]:
        """Answer one request. May be ``async def``. Raise ``HTTPError`` to answer an error of your own."""

    def progress(self, share: float, note: str | None = None) -> None:
        """Tell who waits for a job how far it is; in a request that is no job it does nothing.

        Cheap enough for every step of a loop: it is passed on a few times a second, the last one in any case.

        Args:
            share: what is done of it, 0 to 1.
            note: what to say beside that, such as ``"page 3 of 8"``; up to 1000 characters of it are kept.

        Raises:
            ValueError: an argument is not what it is to be.
        """
        self._report(*_checked(share, note, None))


class BatchEndpoint(_Model[In, Out]):
    """An endpoint that answers up to ``batching.max_size`` requests at once, lists of one included."""

    def weight(self, request: In) -> float:
        """Return what a request adds to ``batching.max_weight``, in a unit of your own: tokens, pixels.

        Called once for each request on its arrival, in another thread than ``predict``, and only where ``max_weight``
        is set. What it raises fails that request alone.
        """
        return 1.0

    @abstractmethod
    def predict(self, batch: list[In]) -> Sequence[Out | BaseException] | Awaitable[Sequence[Out | BaseException]]:
        """Answer the whole batch, in order: one result for each request.

        An exception *instance* in an item's place fails that item alone. May be ``async def``.
        """

    def progress(self, share: float, note: str | None = None, *, index: int | None = None) -> None:
        """Tell who waits for the jobs in this batch how far they are; see ``Endpoint.progress``.

        Args:
            share: what is done, 0 to 1.
            note: what to say beside that.
            index: the place in the list that it is said of; None for all.

        Raises:
            ValueError: an argument is not what it is to be.
        """
        self._report(*_checked(share, note, index))


class StreamEndpoint(_Model[In, Out]):
    """An endpoint that answers one request with a stream of items.

    One worker advances up to ``streaming.max_streams`` of them in turn, an item at a time.
    """

    @abstractmethod
    def predict(
        self, request: In
    ) -> Iterable[Out] | AsyncIterable[Out] | Awaitable[Iterable[Out]] | Awaitable[AsyncIterable[Out]]:
        """Yield the items of one answer; a ``def`` or an ``async def`` generator.

        What is raised before the first item is a status; later, an error event ends the stream. When the client leaves
        or the time is over, the generator is closed at its ``yield``.
        """


def _checked(share: Any, note: Any, index: Any) -> tuple[float, str | None, int | None]:
    try:
        number = float(share) if hasattr(share, "__float__") else -1.0
    except (TypeError, ValueError):  # such as an array of several
        number = -1.0
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"progress({share!r:.60}): expected the share that is done, 0 to 1.")
    if note is not None and not isinstance(note, str):
        raise ValueError(f"progress(note={note!r:.60}): expected a text, or None.")
    if index is not None and (isinstance(index, bool) or not isinstance(index, int) or index < 0):
        raise ValueError(f"progress(index={index!r:.60}): expected a place in the batch, 0 or more.")
    return number, note, index


KINDS = (Endpoint, BatchEndpoint, StreamEndpoint)


def types_of(handler: type[_Model[Any, Any]]) -> tuple[Any, Any]:
    """Return the ``(In, Out)`` that a concrete endpoint class was declared with.

    Raises:
        TypeError: the class does not say them, as in ``class Embed(Endpoint)``.
    """
    for base in handler.__mro__:
        for generic in getattr(base, "__orig_bases__", ()):
            if get_origin(generic) in KINDS:
                given = get_args(generic)
                if not any(isinstance(arg, TypeVar) for arg in given):
                    return given[0], given[1]
    raise TypeError(f"{handler.__qualname__} does not name its types; expected Endpoint[Request, Response]")
