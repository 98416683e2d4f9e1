from __future__ import annotations

import pytest

from litgen_runtime.supervisor.children import _cause


@pytest.mark.parametrize(
    ("status", "cause"), [(0, "exit code 0"), (3 << 8, "exit code 3"), (9, "SIGKILL"), (11 | 0x80, "SIGSEGV")]
)
def test_cause(status: int, cause: str) -> None:
    """The log says how a process ended in words that an owner can look up."""
    assert _cause(status) == cause


def test_cause_of_a_nameless_signal() -> None:
    """A real-time signal without a name is told by its number."""
    assert _cause(40) == "signal 40"
