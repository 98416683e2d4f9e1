from __future__ import annotations

import math
import socket
from typing import Any, cast

from litgen_runtime import Endpoint
from litgen_runtime.supervisor.plan import plan_workers
from litgen_runtime.transport.frames import FrameReader, Result, unpack_results
from litgen_runtime.worker.batches import Batches
from litgen_runtime.worker.codec import Codec
from litgen_runtime.worker.inbox import Arrival
from litgen_runtime.worker.line import Line
from litgen_runtime.worker.outbox import Outbox
from litgen_runtime.worker.runner import Runner
from tests.unit.runtime.mini import choices


class Aware(Endpoint[bool, bool]):
    """Says whether it is to stop."""

    def predict(self, request: bool) -> bool:
        return self.cancelled()


class Interrupted(Outbox):
    """The moment at which a dropped request is answered is one in which others may be cancelled."""

    batches: Batches

    def put_aside(self, item: bytes | Result) -> None:
        super().put_aside(item)
        self.batches.cancel([2])


class Ending:
    """A line over which nothing comes any more."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def read(self, at_most_s: float | None = None) -> None:
        self._batches.close()


def test_a_request_that_is_cancelled_as_it_begins() -> None:
    """What has left the inbox can be told to stop, even if nothing of it has run yet."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        outbox = Interrupted(theirs, Codec(bool, bool), hands_over=False)
        (spec,) = plan_workers(choices(), 0)
        batches = outbox.batches = Batches(spec, Runner(Aware), outbox)
        batches.add([Arrival(key, True, math.inf, 0.0) for key in (1, 2)])
        batches.cancel([1])
        batches.run(cast(Line, Ending(batches)))
        theirs.close()
        results: list[Any] = []
        reader = FrameReader()
        while data := ours.recv(65_536):
            results += [result for frame in reader.feed(data) for result in unpack_results(frame)]
        assert [(result.id, result.body) for result in results] == [(1, b""), (2, b"true")]
