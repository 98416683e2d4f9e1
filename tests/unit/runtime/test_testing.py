from __future__ import annotations

from litgen_runtime.testing import FakeClock


def test_clock_stands_still() -> None:
    """Time passes only when told to."""
    clock = FakeClock(3.0)
    assert (clock(), clock()) == (3.0, 3.0)
    assert clock.advance(0.5) == 3.5
    assert clock() == 3.5
