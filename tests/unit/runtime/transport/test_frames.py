from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime.transport.frames import (
    Frame,
    FrameReader,
    Kind,
    Result,
    Run,
    pack_amounts,
    pack_chunks,
    pack_ids,
    pack_json,
    pack_results,
    pack_runs,
    unpack_amounts,
    unpack_chunks,
    unpack_ids,
    unpack_results,
    unpack_runs,
)

IDS = st.integers(0, 2**64 - 1)
BODIES = st.binary(max_size=40)
SECONDS = st.floats(width=32, allow_nan=False)
RUNS = st.builds(Run, IDS, st.floats(allow_nan=False), BODIES)
RESULTS = st.builds(Result, IDS, st.integers(0, 599), SECONDS, BODIES)
ID_KINDS = st.sampled_from([Kind.CANCEL, Kind.STARTED])
JSON_KINDS = st.sampled_from([Kind.SPEC, Kind.READY, Kind.FAILED])

# what is sent, as (kind, content)
MESSAGES = st.one_of(
    st.tuples(st.just(Kind.RUN), st.lists(RUNS, max_size=5)),
    st.tuples(st.just(Kind.RESULT), st.lists(RESULTS, max_size=5)),
    st.tuples(st.just(Kind.CHUNK), st.lists(st.tuples(IDS, BODIES), max_size=5)),
    st.tuples(st.just(Kind.ALLOW), st.lists(st.tuples(IDS, st.integers(0, 2**32 - 1)), max_size=5)),
    st.tuples(ID_KINDS, st.lists(IDS, max_size=5)),
    st.tuples(JSON_KINDS, BODIES),
)


def pack(kind: Kind, content: Any) -> bytes:
    """Return a frame's bytes."""
    if kind is Kind.RUN:
        return b"".join(pack_runs(content))
    if kind is Kind.RESULT:
        return b"".join(pack_results(content))
    if kind is Kind.CHUNK:
        return b"".join(pack_chunks(content))
    if kind is Kind.ALLOW:
        return pack_amounts(content)
    return pack_json(kind, content) if isinstance(content, bytes) else pack_ids(kind, content)


def unpack(frame: Frame, content: Any) -> tuple[Kind, Any]:
    """Return what a frame says, in the shape of ``content``."""
    readers: dict[Kind, Callable[[Frame], Any]] = {
        Kind.RUN: unpack_runs,
        Kind.RESULT: unpack_results,
        Kind.CHUNK: unpack_chunks,
        Kind.ALLOW: unpack_amounts,
    }
    default: Callable[[Frame], Any] = (lambda f: bytes(f.payload)) if isinstance(content, bytes) else unpack_ids
    return frame.kind, readers.get(frame.kind, default)(frame)


@given(st.lists(MESSAGES, max_size=6), st.lists(st.integers(0, 500), max_size=30))
def test_round_trip_under_any_fragmentation(messages: list[tuple[Kind, Any]], cuts: list[int]) -> None:
    """Whatever is sent comes back whole, once and in order, however the bytes are cut on the way."""
    stream = b"".join(pack(*message) for message in messages)
    borders = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[start:end] for start, end in itertools.pairwise(borders)]
    reader = FrameReader()
    frames = [frame for piece in pieces for frame in reader.feed(piece)]
    assert len(frames) == len(messages)
    assert [unpack(frame, content) for frame, (_, content) in zip(frames, messages, strict=True)] == messages


@given(st.lists(MESSAGES, min_size=1, max_size=3))
def test_byte_by_byte(messages: list[tuple[Kind, Any]]) -> None:
    """A frame is given when its last byte arrives, no sooner and no later."""
    reader = FrameReader()
    for kind, content in messages:
        data = pack(kind, content)
        early = [frame for byte in data[:-1] for frame in reader.feed(bytes([byte]))]
        assert early == []
        (frame,) = reader.feed(data[-1:])
        assert unpack(frame, content) == (kind, content)


def test_large_body() -> None:
    """A body of megabytes survives pieces of the size that sockets give."""
    body = bytes(range(256)) * 8192
    stream = b"".join(pack_runs([Run(1, math.inf, body), Run(2, 1.5, b"x")]))
    reader = FrameReader()
    frames = [frame for at in range(0, len(stream), 65_536) for frame in reader.feed(stream[at : at + 65_536])]
    assert unpack_runs(frames[0]) == [Run(1, math.inf, body), Run(2, 1.5, b"x")]


def test_frames_outlive_the_next_piece() -> None:
    """What a frame holds does not change when more arrives."""
    reader = FrameReader()
    (first,) = reader.feed(pack_json(Kind.SPEC, b"first") + b"\x05")
    list(reader.feed(pack_json(Kind.SPEC, b"other")))
    assert bytes(first.payload) == b"first"


def test_many_answers_are_one_frame() -> None:
    """Answers that go together travel in one frame: that is where the speed lies."""
    frames = list(FrameReader().feed(b"".join(pack_results([Result(i, 200, 0.0, b"{}") for i in range(100)]))))
    assert [frame.records for frame in frames] == [100]


def test_unknown_kind() -> None:
    """Bytes that are no frame are refused, not skipped."""
    with pytest.raises(ValueError, match="99"):
        list(FrameReader().feed(struct.pack("<QBI", 0, 99, 0)))
