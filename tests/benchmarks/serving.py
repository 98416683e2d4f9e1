"""The servers in turn, several times over, so that a noisy minute of the machine falls on all of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import product

from tests.benchmarks import load, processes
from tests.benchmarks.contenders import CONTENDERS, Contender
from tests.benchmarks.environments import Environment
from tests.benchmarks.load import Reading
from tests.benchmarks.servers import Server, running
from tests.benchmarks.works import CONNECTIONS, NOOP, WORKS, Work

_SETTLE_S = 2.0
_WARM_UP_S = 1


@dataclass(frozen=True)
class Plan:
    """How long a run is.

    Args:
        turns: how often everything is measured.
        idle_s: seconds that the idle servers are watched, each time.
        load_s: whole seconds of load at each number of connections, each time.
    """

    turns: int = 5
    idle_s: float = 10.0
    load_s: int = 2


@dataclass(frozen=True)
class Rest:
    """What a server takes while it has nothing to do."""

    http_mb: float
    http_cpu: float
    tree_cpu: float


@dataclass
class Results:
    """Everything that was read: one item a turn, and a start for each load.

    ``others`` is the share of the machine's processor time that went to programs which are no part of this.
    """

    rest: dict[Contender, list[Rest]] = field(default_factory=dict)
    starts: dict[Contender, list[Server]] = field(default_factory=dict)
    loads: dict[tuple[Work, Contender, int], list[Reading]] = field(default_factory=dict)
    others: list[float] = field(default_factory=list)


def measure(environments: Mapping[Contender, Environment], plan: Plan, say: Callable[[str], None]) -> Results:
    """Measure every contender at every work, `plan.turns` times, beginning with another one each time.

    Contenders that are compared run right after one another, each alone.

    Raises:
        BenchmarkError: If one does not answer, or answers wrongly.
    """
    results = Results()
    for turn in range(plan.turns):
        say(f"turn {turn + 1} of {plan.turns}: all at rest")
        _rest(results, environments, plan)
        first = turn % len(CONTENDERS)
        order = CONTENDERS[first:] + CONTENDERS[:first]
        for work, connections in product(WORKS, CONNECTIONS):
            say(f"turn {turn + 1} of {plan.turns}: {work.name}, {connections} connections")
            for contender in order:
                with running(contender, environments[contender], work) as server:
                    load.press(server.port, work, connections, _WARM_UP_S)
                    reading, others = _loaded(server, work, connections, plan.load_s)
                results.starts.setdefault(contender, []).append(server)
                results.loads.setdefault((work, contender, connections), []).append(reading)
                results.others.append(others)
    return results


def _rest(results: Results, environments: Mapping[Contender, Environment], plan: Plan) -> None:
    """Watch all of them at the same time: processor time is counted for each process."""
    trees = {}
    with ExitStack() as stack:
        for contender in CONTENDERS:
            server = stack.enter_context(running(contender, environments[contender], NOOP))
            trees[contender] = (server, processes.tree(server.pid))
        time.sleep(_SETTLE_S)
        before = {contender: processes.spent_s(tree) for contender, (_, tree) in trees.items()}
        time.sleep(plan.idle_s)
        for contender, (server, tree) in trees.items():
            cpu = _percent(before[contender], processes.spent_s(tree), plan.idle_s)
            http = processes.serving(tree, server.port, contender.probe)
            rest = Rest(processes.resident_mb(http), cpu[tree.index(http)], sum(cpu))
            results.rest.setdefault(contender, []).append(rest)


def _percent(before: Sequence[float], after: Sequence[float], seconds: float) -> list[float]:
    return [100 * (late - early) / seconds for early, late in zip(before, after, strict=True)]


def _loaded(server: Server, work: Work, connections: int, seconds: int) -> tuple[Reading, float]:
    """The reading, and the share of the machine that others took meanwhile."""
    tree = processes.tree(server.pid)
    machine, ours = processes.machine_s(), processes.children_s() + sum(processes.spent_s(tree))
    reading = load.press(server.port, work, connections, seconds)
    spent = processes.children_s() + sum(processes.spent_s(tree)) - ours
    busy, total = (late - early for early, late in zip(machine, processes.machine_s(), strict=True))
    return reading, max(0.0, (busy - spent) / total)
