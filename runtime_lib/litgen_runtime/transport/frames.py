"""Length-prefixed frames between the HTTP process and a worker.

One frame carries many requests, or many answers: a header, fixed-size records, then the bodies end to end.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

_HEADER = struct.Struct("<QBI")  # bytes that follow, kind, number of records
_RUN = struct.Struct("<QdI?")  # id, deadline, body size, whether it is patient
_RESULT = struct.Struct("<QHfI")  # id, status, seconds run, body size
_ID_BYTES = 8
_AMOUNT = struct.Struct("<QI")  # id, bytes


class Kind(IntEnum):
    """What a frame holds."""

    SPEC = 1  # to a worker, first of all: JSON, what to load
    RUN = 2  # to a worker: requests
    CANCEL = 3  # to a worker: ids whose answer nobody wants
    READY = 4  # from a worker: JSON, setup has ended
    FAILED = 5  # from a worker: JSON, setup has raised
    STARTED = 6  # from a worker: ids that a batch has taken
    RESULT = 7  # from a worker: answers
    CHUNK = 8  # from a worker: parts of streams
    ALLOW = 9  # to a worker: how many bytes more streams may send
    ENDING = 10  # from a worker: it runs nothing more of what it holds
    RECALL = 11  # to a worker: ids that it is to give back, unless they have begun
    NOTE = 12  # from a worker: what the owner's code says of running jobs: their ids, JSON


_KINDS = {kind.value: kind for kind in Kind}  # to look one up in is ten times as fast as to ask ``Kind``


class Frame(NamedTuple):
    """One received frame; ``payload`` is what follows the header."""

    kind: Kind
    records: int
    payload: memoryview


class Run(NamedTuple):
    """One request on its way to a worker.

    ``deadline`` is CLOCK_MONOTONIC seconds, ``inf`` for none; one that is ``patient`` lets all others go first.
    """

    id: int
    deadline: float
    body: bytes | memoryview
    patient: bool = False


class Result(NamedTuple):
    """One answer. Status 200 holds the response's JSON, ``DROPPED`` nothing, any other a JSON failure."""

    id: int
    status: int
    run_s: float
    body: bytes


DROPPED = 0

STREAM_WINDOW = 65_536  # how far, in bytes, a stream may be ahead of its client
_ITEM_COST = 1024  # what an item counts beside its own size


def cost_of(item: bytes) -> int:
    """Return what one item takes of its stream's window, in bytes."""
    return len(item) + _ITEM_COST


def pack_runs(runs: Iterable[tuple[int, float, bytes | memoryview, bool]]) -> list[bytes]:
    """Return the buffers of one RUN frame; each run is a ``Run``, or as one."""
    records, bodies = [], []
    for key, deadline, body, patient in runs:
        records.append(_RUN.pack(key, deadline, len(body), patient))
        bodies.append(body if isinstance(body, bytes) else bytes(body))
    return _packed(Kind.RUN, len(records), records + bodies)


def pack_results(results: Sequence[Result]) -> list[bytes]:
    """Return the buffers of one RESULT frame."""
    records, bodies = [], []
    for key, status, run_s, body in results:
        records.append(_RESULT.pack(key, status, run_s, len(body)))
        bodies.append(body)
    return _packed(Kind.RESULT, len(records), records + bodies)


def pack_ids(kind: Kind, ids: Sequence[int]) -> bytes:
    """Return a frame of bare ids."""
    return b"".join(_packed(kind, len(ids), [_ids(ids)]))


def pack_json(kind: Kind, text: bytes) -> bytes:
    """Return a frame that holds one JSON document."""
    return b"".join(_packed(kind, 0, [text]))


def unpack_runs(frame: Frame) -> list[Run]:
    """Return the requests of a RUN frame, whose bodies are parts of it: a large one is not copied here."""
    start = frame.records * _RUN.size
    runs = []
    for key, deadline, size, patient in _RUN.iter_unpack(frame.payload[:start]):
        runs.append(Run(key, deadline, frame.payload[start : start + size], patient))
        start += size
    return runs


def unpack_results(frame: Frame) -> list[Result]:
    """Return the answers of a RESULT frame."""
    start = frame.records * _RESULT.size
    results = []
    for key, status, run_s, size in _RESULT.iter_unpack(frame.payload[:start]):
        results.append(Result(key, status, run_s, bytes(frame.payload[start : start + size])))
        start += size
    return results


def pack_batch(ids: Sequence[int], reason: int) -> bytes:
    """Return the notice that a batch has begun: its ids, and the number of the reason for which it went."""
    return b"".join(_packed(Kind.STARTED, len(ids), [_ids(ids), bytes([reason])]))


def unpack_batch(frame: Frame) -> tuple[list[int], int]:
    """Return the ids and the reason of a STARTED frame."""
    return _ids_of(frame), frame.payload[-1]


def pack_note(ids: Sequence[int], text: bytes) -> bytes:
    """Return a NOTE frame: a JSON document that is said of all of these."""
    return b"".join(_packed(Kind.NOTE, len(ids), [_ids(ids), text]))


def unpack_note(frame: Frame) -> tuple[list[int], bytes]:
    """Return what ``pack_note`` was given."""
    return _ids_of(frame), bytes(frame.payload[frame.records * _ID_BYTES :])


def unpack_ids(frame: Frame) -> list[int]:
    """Return the ids of a frame of bare ids."""
    return _ids_of(frame)


def _ids(ids: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(ids)}Q", *ids)


def _ids_of(frame: Frame) -> list[int]:
    return list(struct.unpack_from(f"<{frame.records}Q", frame.payload))


def _packed(kind: Kind, records: int, buffers: list[bytes]) -> list[bytes]:
    return [_HEADER.pack(sum(map(len, buffers)), kind, records), *buffers]


def pack_chunks(chunks: Sequence[tuple[int, bytes]]) -> list[bytes]:
    """Return the buffers of one CHUNK frame: (id, one item of its stream as JSON)."""
    records = [_AMOUNT.pack(key, len(body)) for key, body in chunks]
    return _packed(Kind.CHUNK, len(chunks), records + [body for _, body in chunks])


def unpack_chunks(frame: Frame) -> list[tuple[int, bytes]]:
    """Return the (id, item) of a CHUNK frame."""
    start = frame.records * _AMOUNT.size
    chunks = []
    for key, size in _AMOUNT.iter_unpack(frame.payload[:start]):
        chunks.append((key, bytes(frame.payload[start : start + size])))
        start += size
    return chunks


def pack_amounts(amounts: Sequence[tuple[int, int]]) -> bytes:
    """Return an ALLOW frame: (id, bytes that its stream may send beyond what it was allowed before)."""
    return b"".join(_packed(Kind.ALLOW, len(amounts), [_AMOUNT.pack(*amount) for amount in amounts]))


def unpack_amounts(frame: Frame) -> list[tuple[int, int]]:
    """Return what ``pack_amounts`` was given."""
    return list(_AMOUNT.iter_unpack(frame.payload))


class FrameReader:
    """Cuts a byte stream into frames, however the bytes arrive."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._held = 0  # bytes in the parts
        self._needed = 0  # bytes until there is something to be cut off

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take what arrived and yield the frames that are complete."""
        if self._parts:
            self._parts.append(data)
            self._held += len(data)
            if self._held < self._needed:  # a large frame is put together once, not at each arrival
                return
            data = b"".join(self._parts)
            self._parts = []
        view, start, needed = memoryview(data), 0, _HEADER.size
        while len(data) - start >= _HEADER.size:
            size, kind, records = _HEADER.unpack_from(data, start)
            needed = _HEADER.size + size
            if len(data) - start < needed:
                break
            yield Frame(_KINDS.get(kind) or Kind(kind), records, view[start + _HEADER.size : start + needed])
            start, needed = start + needed, _HEADER.size
        if start < len(data):
            rest = data[start:] if start else data
            self._parts, self._held, self._needed = [rest], len(rest), needed
