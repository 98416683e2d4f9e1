"""The contenders in turn, several times over, so that a noisy minute of the machine falls on all of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests.benchmarks import jobs, load, neighbours, processes, servers, tasks
from tests.benchmarks.contenders import ALONE, CONTENDERS, LITGEN, SERVERS, Contender
from tests.benchmarks.environments import Environment
from tests.benchmarks.errors import BenchmarkError
from tests.benchmarks.load import Reading
from tests.benchmarks.servers import Server, running
from tests.benchmarks.works import CONNECTIONS, DEVICE, NOOP, WORKS, Work

_SETTLE_S = 2.0
_SLOW = 1 / 3
_LONGER = 4
_MAX_BATCH = 32
_ALONE_S = 1  # before each load, and again after it


@dataclass(frozen=True)
class Plan:
    """What a run does, and how long it is.

    Args:
        turns: how often everything is measured.
        idle_s: seconds that the idle servers are watched, each time.
        load_s: whole seconds of load at each number of connections, each time.
        works: what is asked for.
        contenders: who is asked.
    """

    turns: int = 3
    idle_s: float = 10.0
    load_s: int = 2
    works: tuple[Work, ...] = WORKS
    contenders: tuple[Contender, ...] = CONTENDERS

    @property
    def servers(self) -> tuple[Contender, ...]:
        """Who is loaded in turn."""
        return tuple(contender for contender in self.contenders if contender is not ALONE)

    @property
    def complete(self) -> bool:
        """Whether nothing is left out."""
        return self.works == WORKS and self.contenders == CONTENDERS


@dataclass(frozen=True)
class Rest:
    """What a server takes while it has nothing to do."""

    http_mb: float
    http_cpu: float
    tree_cpu: float


@dataclass
class Results:
    """Everything that was read: one item a turn.

    ``others`` is the share of the machine's processor time that went to programs which are no part of this;
    ``broken`` says why a contender has no figures for a work.
    """

    rest: dict[Contender, list[Rest]] = field(default_factory=dict)
    starts: dict[Contender, list[Server]] = field(default_factory=dict)
    loads: dict[tuple[Work, Contender, int], list[Reading]] = field(default_factory=dict)
    beside: list[neighbours.Reading] = field(default_factory=list)
    of_jobs: jobs.Results = field(default_factory=jobs.Results)
    of_tasks: tasks.Results = field(default_factory=tasks.Results)
    others: list[float] = field(default_factory=list)
    broken: dict[tuple[Work, Contender], str] = field(default_factory=dict)

    def give_up(self, work: Work, contender: Contender, reason: str) -> None:
        """Take a contender out of a work, with the figures that it has so far."""
        self.broken[work, contender] = reason
        for connections in CONNECTIONS:
            self.loads.pop((work, contender, connections), None)


def measure(environments: Mapping[Contender, Environment], plan: Plan, say: Callable[[str], None]) -> Results:
    """Measure every contender at every work, `plan.turns` times, beginning with another one each time.

    Contenders that are compared run right after one another, each alone. One that does not answer, or answers wrongly,
    is taken out of that work, and the page says so.

    Raises:
        BenchmarkError: If one cannot even be watched at rest, or the load fails.
    """
    results = Results()
    for turn in range(plan.turns):
        where = f"turn {turn + 1} of {plan.turns}"
        if plan.complete:
            say(f"{where}: all at rest")
            _rest(results, environments, plan)
        for work in plan.works:
            for contender in _order(plan.servers, turn):
                if not contender.takes(work) or (work, contender) in results.broken:
                    continue
                say(f"{where}: {work.name}, {contender.title}")
                try:
                    _work(results, contender, environments, work, plan)
                except BenchmarkError as error:
                    say(f"given up: {error}")
                    results.give_up(work, contender, str(error))
        if LITGEN in plan.contenders and NOOP in plan.works:
            say(f"{where}: a slow neighbour")
            results.beside.append(neighbours.measure(environments[LITGEN], plan.load_s))
        if LITGEN in plan.contenders and DEVICE in plan.works:
            say(f"{where}: jobs")
            jobs.measure(results.of_jobs, environments[LITGEN], plan.load_s)
            say(f"{where}: jobs beside tasks")
            tasks.measure(results.of_tasks, environments, plan.load_s)
    return results


def _order(contenders: Sequence[Contender], turn: int) -> list[Contender]:
    first = turn % len(contenders)
    return [*contenders[first:], *contenders[:first]]


def _rest(results: Results, environments: Mapping[Contender, Environment], plan: Plan) -> None:
    """Watch all of them at the same time: processor time is counted for each process."""
    trees = {}
    with ExitStack() as stack:
        for contender in SERVERS:
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


def _work(
    results: Results, contender: Contender, environments: Mapping[Contender, Environment], work: Work, plan: Plan
) -> None:
    alone = environments[ALONE] if contender is LITGEN and ALONE in plan.contenders and ALONE.takes(work) else None
    with running(contender, environments[contender], work) as server:
        if work is NOOP:
            results.starts.setdefault(contender, []).append(server)
        for connections in CONNECTIONS:
            before = [_alone(alone, work, connections)] if alone else []
            reading, others = _loaded(server, contender, work, connections, plan.load_s)
            results.loads.setdefault((work, contender, connections), []).append(reading)
            results.others.append(others)
            if alone:
                around = load.mean(*before, _alone(alone, work, connections))
                results.loads.setdefault((work, ALONE, connections), []).append(around)


def _alone(environment: Environment, work: Work, connections: int) -> Reading:
    """The model in a loop, while our server rests."""
    size = str(min(connections, _MAX_BATCH))
    return load.read([str(environment.python), *ALONE.command(work, 0), size, str(_ALONE_S)])


def _loaded(server: Server, contender: Contender, work: Work, connections: int, seconds: int) -> tuple[Reading, float]:
    """The reading, and the share of the machine that others took meanwhile."""
    tree = processes.tree(server.pid)
    if not work.streams:
        load.press(server.port, contender.ask(work), connections, load.WARM_UP_S)
        servers.settle(server, work, contender.ask(work))
    machine, ours = processes.machine_s(), processes.children_s() + sum(processes.spent_s(tree))
    reading = _pressed(server, contender, work, connections, seconds)
    spent = processes.children_s() + sum(processes.spent_s(tree)) - ours
    busy, total = (late - early for early, late in zip(machine, processes.machine_s(), strict=True))
    servers.settle(server, work, contender.ask(work))
    return reading, max(0.0, (busy - spent) / total)


def _pressed(server: Server, contender: Contender, work: Work, connections: int, seconds: int) -> Reading:
    """Load a server, for longer if an answer takes so long that too few of them would fit."""
    ask = contender.ask(work)
    if work.streams:
        return load.press_stream(server.port, ask, connections, seconds)
    reading = load.press(server.port, ask, connections, seconds)
    if reading.failed or (reading.per_s and reading.p50_ms < seconds * 1e3 * _SLOW):
        return reading
    servers.settle(server, work, ask)
    return load.press(server.port, ask, connections, seconds * _LONGER)
