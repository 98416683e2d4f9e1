from __future__ import annotations

from litgen_runtime.check import problems
from tests.unit.runtime.mini import HERE, choices


def test_all_well() -> None:
    """A service whose names can all be imported has no problems."""
    assert problems(choices()) == []


def test_each_problem_names_its_endpoint() -> None:
    """What cannot be imported is told under its endpoint's key."""
    (problem,) = problems(choices(handler=f"{HERE}:Nothing"))
    assert problem.startswith(f'endpoints.embed: endpoints.embed.handler is "{HERE}:Nothing"; ')


def test_useless_batching() -> None:
    """Batching for a class that takes one request at a time is a problem before the start."""
    (problem,) = problems(choices(handler=f"{HERE}:Single", batching={}))
    assert "Remove the table from service.toml" in problem
