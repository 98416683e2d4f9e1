"""Places that many share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime.jobs.shares import Shares


@pytest.mark.parametrize(("clients", "each"), [(1, 128), (2, 85), (3, 64), (255, 1)])
def test_equal_shares(clients: int, each: int) -> None:
    """Who takes all that there is room for has as many as are left free."""
    shares = Shares(256)
    for _ in range(256):
        for client in map(str, range(clients)):
            shares.take(client, min(1, shares.room(client)))
    assert {shares.held(str(client)) - each for client in range(clients)} <= {0, 1}


@given(st.lists(st.sampled_from("abcdef"), max_size=40))
def test_a_newcomer_finds_one(order: list[str]) -> None:
    """As long as those that were there before are fewer than the logarithm of the places."""
    shares = Shares(128)
    for client in order:
        shares.take(client, shares.room(client))
    assert shares.room("new") >= 1
    assert sum(map(shares.held, "abcdef")) <= 128
