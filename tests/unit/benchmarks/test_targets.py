from __future__ import annotations

import pytest

from tests.benchmarks.contenders import ALONE, BENTOML, CONTENDERS, LITGEN, LITSERVE
from tests.benchmarks.load import Reading
from tests.benchmarks.report import written
from tests.benchmarks.serving import Plan, Results
from tests.benchmarks.targets import Target, ratios, targets
from tests.benchmarks.tasks import HANDED_IN, Cost
from tests.benchmarks.works import CONNECTIONS, DEVICE, NOOP, WORKS


def results(ours: float, theirs: float) -> Results:
    """Return three turns of noop and device, all alike."""
    found = Results()
    for work, peer in ((NOOP, LITSERVE), (DEVICE, ALONE)):
        for connections in CONNECTIONS:
            found.loads[work, LITGEN, connections] = [Reading(ours, 10.5, 12.0, 0)] * 3
            found.loads[work, peer, connections] = [Reading(theirs, 10.5, 12.0, 0)] * 3
    return found


def test_ratio_of_nothing() -> None:
    """A peer that got nothing done is infinitely slower, not an error."""
    assert ratios([2.0, 1.0], [1.0, 0.0]) == [2.0, float("inf")]


@pytest.mark.parametrize(
    ("bound", "most", "met"), [(2, False, True), (2.1, False, False), (2, True, True), (1.9, True, False)]
)
def test_median_decides(bound: float, most: bool, met: bool) -> None:
    """The median of the turns keeps a promise, or does not."""
    assert Target("", bound, [1.0, 2.0, 9.0], most=most).met is met


def test_what_was_not_measured_is_not_met() -> None:
    """A promise without figures is not kept; a part of a run does not mention it."""
    assert not Target("", 1, []).met
    part = Plan(works=(NOOP,), contenders=(LITGEN, LITSERVE))
    whole = targets(results(10.0, 1.0), Plan())
    assert len(whole) > len(targets(results(10.0, 1.0), part))
    assert {target.text for target in whole if target.met} >= {"noop, 64 connections: litgen / LitServe"}


@pytest.mark.parametrize(("ours", "verdict"), [(10.0, "met"), (9.9, "**not met**")])
def test_page_says_so(ours: float, verdict: str) -> None:
    """The verdict on the page is computed."""
    found = results(ours, 1.0)
    found.give_up(NOOP, CONTENDERS[2], "it did not start\nfor a reason")
    page = written([], [], None, None, found, Plan(works=(NOOP, DEVICE), contenders=CONTENDERS), None)
    ratio = f"{ours:.2f}"
    assert f"| noop, 64 connections: litgen / LitServe | ≥ 10 | {ratio} ({ratio} to {ratio}) | {verdict} |" in page
    assert "**MOSEC has no figures**: it did not start" in page


@pytest.mark.parametrize(("left", "verdict"), [(HANDED_IN, "met"), (HANDED_IN - 1, "**not met**")])
def test_page_says_what_a_kill_left(left: int, verdict: str) -> None:
    """Of work for later: who takes it how fast, what is to be had after a kill, and why somebody has no figures."""
    found = Results()
    for contender in (LITGEN, BENTOML):
        found.of_tasks.accepted[contender] = [Reading(90.0 if contender is LITGEN else 30.0, 1.0, 2.0, 0)]
        found.of_tasks.left[contender] = [left if contender is LITGEN else 0]
    found.of_tasks.without = found.of_tasks.with_jobs = [Cost(0.5, 50.0)]
    plan = Plan(works=(DEVICE,), contenders=(LITGEN, BENTOML))
    page = written([], [], None, None, found, plan, None)
    assert f"after a kill -9 | ≤ 0 | {HANDED_IN - left:.2f}" in page
    assert f"| {verdict} |" in page
    assert "| BentoML | 30 (30 to 30) | 2.0 (2.0 to 2.0) | 3.00 (3.00 to 3.00) | 0 (0 to 0) |" in page
    found.of_tasks.broken[BENTOML] = "it did not start\nfor a reason"
    page = written([], [], None, None, found, plan, None)
    assert "**BentoML has no figures here**: it did not start" in page
    assert "| BentoML | 30" not in page


def test_every_work_has_somebody() -> None:
    """Every contender has an app for each work that it can do; the model alone for those that have a model."""
    taken = {work.name: {contender.name for contender in CONTENDERS if contender.takes(work)} for work in WORKS}
    servers = {"litgen", "litserve", "mosec", "bentoml", "fastapi"}
    assert taken["device"] == taken["mlp"] == servers | {"alone"}
    assert taken["noop"] == taken["blob"] == taken["stream"] == servers | {"starlette"}
