"""What was promised, beside what was measured: the ratios of issue 3's *Done when*, computed from a run."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from tests.benchmarks import jobs, tasks
from tests.benchmarks.contenders import ALONE, LITGEN, LITSERVE, MOSEC, STARLETTE, Contender
from tests.benchmarks.load import Reading
from tests.benchmarks.serving import Plan, Results
from tests.benchmarks.works import BLOB, DEVICE, MLP, NOOP, STREAM, Work


@dataclass(frozen=True)
class Target:
    """One promise.

    Args:
        text: what is compared.
        bound: what the median has to reach; what it may not pass, with ``most``.
        values: one measured value for each turn; none if there are no figures.
        most: whether less is better.
        unit: of bound and values.
    """

    text: str
    bound: float
    values: Sequence[float]
    most: bool = False
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the median of the turns keeps the promise; what was not measured does not."""
        if not self.values:
            return False
        return median(self.values) <= self.bound if self.most else median(self.values) >= self.bound


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Turn by turn; infinite where the other one got nothing done."""
    return [mine / other if other else float("inf") for mine, other in zip(ours, theirs, strict=True)]


def targets(results: Results, plan: Plan) -> list[Target]:
    """Return every promise; of a part of a run, those that it says something about."""
    return [target for target in _targets(results) if target.values or plan.complete]


def _targets(results: Results) -> Iterator[Target]:
    def rates(work: Work, connections: int, contender: Contender = LITGEN) -> list[float]:
        return _values(results, work, contender, connections, lambda reading: reading.per_s)

    def beside(work: Work, connections: int, peer: Contender, bound: float) -> Target:
        ours, theirs = rates(work, connections), rates(work, connections, peer)
        measured = ratios(ours, theirs) if ours and theirs else []
        return Target(f"{work.name}, {_at(connections)}: litgen / {peer.title}", bound, measured)

    yield beside(NOOP, 64, LITSERVE, 10)
    yield beside(NOOP, 64, MOSEC, 2)
    yield beside(NOOP, 64, STARLETTE, 0.7)
    yield Target("noop: litgen at 256 connections / litgen at 64", 0.9, ratios(rates(NOOP, 256), rates(NOOP, 64)))
    yield beside(NOOP, 1, MOSEC, 0.8)
    yield beside(DEVICE, 64, ALONE, 0.97)
    yield beside(DEVICE, 256, ALONE, 0.97)
    medians_ms = _values(results, DEVICE, LITGEN, 1, lambda reading: reading.p50_ms)
    yield Target("device, 1 connection: litgen's median latency", 11, medians_ms, most=True, unit=" ms")
    yield beside(MLP, 64, ALONE, 0.95)
    yield beside(MLP, 256, ALONE, 0.95)
    yield beside(BLOB, 64, LITSERVE, 3)
    yield beside(STREAM, 64, LITSERVE, 5)
    slower = [reading.beside.p99_ms / reading.before.p99_ms for reading in results.beside]
    yield Target("a fast endpoint's p99: beside a saturated slow one / alone", 1.5, slower, most=True)
    yield from _of_jobs(results.of_jobs)
    lost = [float(tasks.HANDED_IN - left) for left in results.of_tasks.left.get(LITGEN, ())]
    yield Target("jobs: lost of those acknowledged, after a kill -9", 0, lost, most=True)


def _of_jobs(results: jobs.Results) -> Iterator[Target]:
    accepted, at = results.accepted, _at(jobs.ACCEPTING_CONNECTIONS)
    yield Target(f"jobs, {at}: durable accepts a second", 1200, [reading.per_s for reading in accepted])
    p99_ms = [reading.p99_ms for reading in accepted]
    yield Target(f"jobs, {at}: p99 of accepting", 150, p99_ms, most=True, unit=" ms")
    ideal_per_s = jobs.MAX_BATCH / jobs.BATCH_MS * 1e3
    drained = [rate / ideal_per_s for rate in results.drained_per_s]
    yield Target(f"jobs: a backlog of {jobs.BACKLOG:,} done / as fast as the device can", 0.8, drained)
    yield Target(f"jobs: mean batch, of {jobs.MAX_BATCH}", 30, results.mean_batch)
    slower = [
        max(over.p99_ms - jobs.BATCH_MS, 0.0) / before.p99_ms
        for before, over in zip(results.before, results.over, strict=True)
    ]
    yield Target("jobs: a client's p99 over a backlog, less a batch / without", 2, slower, most=True)


def _values(
    results: Results, work: Work, contender: Contender, connections: int, value: Callable[[Reading], float]
) -> list[float]:
    return [value(reading) for reading in results.loads.get((work, contender, connections), [])]


def _at(connections: int) -> str:
    return f"{connections} connection{'s' if connections > 1 else ''}"
