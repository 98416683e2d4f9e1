from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime.errors import QueueFull
from litgen_runtime.http.pieces import Gathered, Pieces

LARGE = b"l" * 16_384
PIECES = st.lists(st.one_of(st.binary(max_size=40), st.just(LARGE), st.just(LARGE + b"x")))


@given(PIECES, st.binary(max_size=10))
def test_pieces_are_joined_in_their_order(given_pieces: list[bytes], head: bytes) -> None:
    """Large and small ones in any order are one again, behind a head; afterwards nothing is held."""
    pieces = Pieces()
    for piece in given_pieces:
        pieces.add(piece)
    assert pieces.size == len(b"".join(given_pieces))
    assert pieces.joined(head) == head + b"".join(given_pieces)
    assert (pieces.size, pieces.joined()) == (0, b"")


@given(PIECES, PIECES)
def test_what_is_taken_may_go_on_elsewhere(first: list[bytes], second: list[bytes]) -> None:
    """Pieces that are handed on leave nothing behind, and what comes later stands alone."""
    pieces, others = Pieces(), Pieces()
    for piece in first:
        pieces.add(piece)
    for taken in pieces.taken():
        others.add(taken)
    for piece in second:
        pieces.add(piece)
    assert (others.joined(), pieces.joined()) == (b"".join(first), b"".join(second))


def test_large_pieces_are_not_copied_and_small_ones_are_not_kept_each() -> None:
    """A body that comes byte by byte takes no more room than its bytes."""
    pieces = Pieces()
    for _ in range(1000):
        pieces.add(b"x")
    pieces.add(LARGE)
    for _ in range(1000):
        pieces.add(b"y")
    small, large, rest = pieces.taken()
    assert (bytes(small), large is LARGE, bytes(rest)) == (b"x" * 1000, True, b"y" * 1000)


def test_a_body_that_has_no_room() -> None:
    """Who counts is told of the whole size each time, and may refuse; what has come is there all the same."""
    gathered, told = Gathered(), []

    def count(size: int) -> None:
        told.append(size)
        if size > 3:
            raise QueueFull("No room.")

    gathered.add(b"a")
    gathered.on_more = count
    gathered.add(b"bc")
    with pytest.raises(QueueFull):
        gathered.add(b"d")
    assert told == [3, 4]
    assert gathered.pieces.joined() == b"abcd"
