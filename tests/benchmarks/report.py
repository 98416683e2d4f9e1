"""The page: tables of medians, and how to read them."""

from collections.abc import Callable, Sequence
from statistics import median

from tests.benchmarks import changing, generating, jobs, neighbours, serving, tasks
from tests.benchmarks.contenders import ALONE, BENTOML, LITGEN, SERVERS, Contender
from tests.benchmarks.load import Reading
from tests.benchmarks.servers import Server
from tests.benchmarks.serving import Plan, Rest
from tests.benchmarks.tables import ms, ratio, spread, table
from tests.benchmarks.targets import Target, ratios, targets
from tests.benchmarks.works import CONNECTIONS, Work

_READING = """\
Written by `make bench`; the next run replaces it. One run makes the environments, with the newest releases, and then
takes {turns} turns. In each turn and for each work, every contender is started in turn on a free port of 127.0.0.1, has
to give the right answer, and is loaded alone: at each number of connections a second of warm-up, then {load_s} seconds
that count (four times that where an answer takes longer than a third of it). The next turn begins with another
contender. The model alone runs for a second before and for a second after each of litgen's loads, since a processor's
speed changes while one waits for a turn. A figure is the median of its turns, with the lowest and the highest in
brackets. A ratio is taken within each turn and is the median of those.

**Compare within this page, never across pages.** The load generator shares the machine's cores with the servers,
so the absolute figures say as much about the machine as about the software; the ratios are what carries over.
Where the brackets of a ratio include 1, the run does not say which is faster.

{others}

All servers do the same work, written as each one's documentation would: the same model code, the same pydantic models
on the way in and out, HTTP/1.1 with kept-alive connections, no access log, one HTTP process and, where there are
workers at all, one worker process. There is no benchmark mode. The load is a closed loop: each connection sends its
next request when it has its answer, so at a server's limit the latency is the number of connections divided by the
throughput. It comes from wrk, of streams from a client that counts items as they come. Failed requests do not count as
answers; where there were any, their number is given."""

_QUIET = "Other programs took {median:.0%} of the machine during the loads (at most {most:.0%})."
_NOISY = "**This run was disturbed**: " + _QUIET + " Repeat it on an idle machine before you quote it."
_NOISY_SHARE = 0.1

_NEW = """\
`litgen new` also makes a git repository with a first commit and checks the answers; copier renders the same template
bundle to the same files (compared, byte for byte). Both are installed, not run from the checkout."""

_CHANGES = """\
A project of the first release with {files} files or more: one endpoint is added, or the project is brought to the
newest version, by litgen and by copier alone (which needs both versions in the project's bundle, and a commit)."""

_REST = """\
"Up" is the first 200 of the probe; LitServe has no liveness probe, its /health is 200 once its worker is ready.
"Answers" is the first right answer to a prediction. Memory and processor time are read while nothing is asked, for
{idle_s:g} s; the HTTP process is the one that holds the connections. The work is noop."""

_NEIGHBOURS = """\
Two endpoints of one service. The fast one is noop, at {fast} connections; the slow one sleeps 50 ms a request and is
kept saturated by {slow} connections."""


_JOBS = """\
The work is device, handed in with `Prefer: respond-async` and kept in the embedded store (SQLite, on the disk before
the 202). Jobs are accepted while others run; then a backlog of {backlog:,} is made, over which {clients} connections
make calls, and which is done afterwards."""

_TASKS = """\
The same work as tasks of BentoML (`@bentoml.task`, its SQLite store), the one other peer whose queue can be asked for
results (Cog answers 409 where nothing is free to run a request). Accepting is measured while tasks run, as above. Then
{handed_in} are handed in, every process is killed with SIGKILL, the server is started again on the same store, and its
clients ask for what they were promised, for {waited_s:g} s at most. (BentoML removes its store as it starts.)"""

_COST = """\
What jobs cost a service that is asked for nothing, beside the same service without them."""


def written(
    machine: Sequence[tuple[str, str]],
    versions: Sequence[tuple[str, str]],
    generator: generating.Results | None,
    changes: changing.Results | None,
    results: serving.Results,
    plan: Plan,
    plot: str | None,
) -> str:
    """Return the page as Markdown; without what a part of a run has not measured.

    Args:
        machine: what was measured on.
        versions: what was measured.
        generator: how long the generator's commands took.
        changes: how long it took to change a project.
        results: what the servers did.
        plan: what they were asked.
        plot: the name of the plot beside the page.
    """
    parts = ["# Benchmarks", _READING.format(turns=plan.turns, load_s=plan.load_s, others=_others(results))]
    if promises := [*targets(results, plan), *(changing.targets(changes) if changes else [])]:
        parts += ["## Targets", table(("", "target", "measured", ""), map(_target, promises))]
    if plot:
        parts += [f"![Answers a second of every contender, work by work]({plot})"]
    parts += ["## The contenders", _contenders(plan)]
    for work in plan.works:
        parts += [f"## {work.name}: {work.title}", *_work(results, work, plan)]
    if results.beside:
        words = _NEIGHBOURS.format(fast=neighbours.FAST_CONNECTIONS, slow=neighbours.SLOW_CONNECTIONS)
        parts += ["## A slow neighbour", words, _beside(results)]
    if results.of_jobs.over:
        parts += [
            "## Jobs",
            _JOBS.format(backlog=jobs.BACKLOG, clients=jobs.ASKING_CONNECTIONS),
            _jobs(results.of_jobs),
        ]
    if results.of_tasks.accepted:
        words = _TASKS.format(handed_in=tasks.HANDED_IN, waited_s=tasks.WAITED_S)
        broken = [
            f"**{peer.title} has no figures here**: {why.splitlines()[0]}"
            for peer, why in results.of_tasks.broken.items()
        ]
        parts += [words, *broken, _tasks(results.of_tasks), _COST, _cost(results.of_tasks)]
    if results.rest:
        parts += ["## At rest", _rest(results), _REST.format(idle_s=plan.idle_s)]
    if generator:
        parts += ["## The generator", _generator(generator), _NEW]
    if changes:
        parts += [_changes(changes), _CHANGES.format(files=changing.FILES)]
    parts += ["## The machine", table(("", ""), machine), "## The versions", table(("", "installed"), versions)]
    return "\n\n".join(parts) + "\n"


def _target(target: Target) -> tuple[str, str, str, str]:
    bound = f"{'≤' if target.most else '≥'} {target.bound:g}{target.unit}"
    measured = spread(target.values, "{:.2f}".format) + target.unit if target.values else "not measured"
    return target.text, bound, measured, "met" if target.met else "**not met**"


def _others(results: serving.Results) -> str:
    if not results.others:
        return ""
    usual, most = median(results.others), max(results.others)
    return (_NOISY if most > _NOISY_SHARE else _QUIET).format(median=usual, most=most)


def _contenders(plan: Plan) -> str:
    rows = [(c.title, c.processes, c.batching, c.notes) for c in plan.contenders]
    return table(("", "processes", "batching (device, mlp)", ""), rows)


def _work(results: serving.Results, work: Work, plan: Plan) -> list[str]:
    """Three tables: throughput, litgen's ratio to each, latency; a row for each contender."""
    taking = [c for c in plan.contenders if (work, c, CONNECTIONS[0]) in results.loads]
    broken = [
        f"**{c.title} has no figures**: {results.broken[work, c].splitlines()[0].removesuffix('; its output:')}"
        for c in plan.contenders
        if (work, c) in results.broken
    ]
    if not taking:
        return broken
    head = ("", *(f"{connections} connection{'s' if connections > 1 else ''}" for connections in CONNECTIONS))

    def rows(cell: Callable[[Contender, int], str], those: Sequence[Contender]) -> str:
        return table(head, [[c.title, *(cell(c, connections) for connections in CONNECTIONS)] for c in those])

    def readings(contender: Contender, connections: int) -> list[Reading]:
        return results.loads[work, contender, connections]

    def rates(contender: Contender, connections: int) -> list[float]:
        return [reading.per_s for reading in readings(contender, connections)]

    def latency(contender: Contender, connections: int) -> str:
        those = readings(contender, connections)
        return f"{median(r.p50_ms for r in those):,.2f} / {median(r.p99_ms for r in those):,.2f}"

    def throughput(contender: Contender, connections: int) -> str:
        return spread(rates(contender, connections), "{:,.0f}".format) + _failures(readings(contender, connections))

    def beside(peer: Contender, connections: int) -> str:
        return spread(ratios(rates(LITGEN, connections), rates(peer, connections)), ratio)

    parts = [*broken, "Items a second:" if work.streams else "Requests a second:", rows(throughput, taking)]
    if LITGEN in taking and len(taking) > 1:
        parts += ["litgen divided by each:", rows(beside, [c for c in taking if c is not LITGEN])]
    what = "Time to the first item" if work.streams else "Latency"
    step = "; of the model alone, the time of a batch" if ALONE in taking else ""
    return [*parts, f"{what} in ms, median / 99th percentile{step}:", rows(latency, taking)]


def _failures(readings: Sequence[Reading]) -> str:
    failed = sum(reading.failed for reading in readings)
    return f", **{failed:,} failed**" if failed else ""


def _beside(results: serving.Results) -> str:
    before = [reading.before.p99_ms for reading in results.beside]
    beside = [reading.beside.p99_ms for reading in results.beside]
    rows = [
        ("alone", spread(before, "{:.2f}".format), ""),
        ("beside the slow one", spread(beside, "{:.2f}".format), spread(ratios(beside, before), ratio)),
    ]
    return table(("the fast endpoint", "p99, ms", "ratio"), rows)


def _jobs(results: jobs.Results) -> str:
    rows = [
        ("durable accepts a second", spread([reading.per_s for reading in results.accepted], "{:,.0f}".format)),
        ("p99 of accepting, ms", spread([reading.p99_ms for reading in results.accepted], "{:.1f}".format)),
        ("jobs done a second, of a backlog", spread(results.drained_per_s, "{:,.0f}".format)),
        ("mean batch", spread(results.mean_batch, "{:.1f}".format)),
        ("p99 of a client's calls, ms", spread([reading.p99_ms for reading in results.before], "{:.1f}".format)),
        ("the same over a backlog, ms", spread([reading.p99_ms for reading in results.over], "{:.1f}".format)),
    ]
    return table(("litgen", ""), rows)


def _tasks(results: tasks.Results) -> str:
    ours = [reading.per_s for reading in results.accepted[LITGEN]]
    rows = []
    for contender in (LITGEN, BENTOML):
        if contender not in results.left or contender in results.broken:
            continue
        theirs = [reading.per_s for reading in results.accepted[contender]]
        beside = "" if contender is LITGEN else spread(ratios(ours, theirs), ratio)
        p99_ms = spread([reading.p99_ms for reading in results.accepted[contender]], "{:.1f}".format)
        failures = _failures(results.accepted[contender])
        left = spread(results.left[contender], "{:,.0f}".format)
        rows.append((contender.title, spread(theirs, "{:,.0f}".format) + failures, p99_ms, beside, left))
    head = ("", "accepts a second", "p99, ms", "litgen divided by it", f"had after the kill, of {tasks.HANDED_IN}")
    return table(head, rows)


def _cost(results: tasks.Results) -> str:
    rows = [
        (title, spread([one.answer_s for one in those], ms), spread([one.http_mb for one in those], "{:.1f}".format))
        for title, those in (("without jobs", results.without), ("with jobs", results.with_jobs))
    ]
    return table(("litgen", "start until it answers, ms", "HTTP process, MB resident"), rows)


def _generator(results: generating.Results) -> str:
    rows = [("`litgen --help`", spread(results.help_s, ms), "")]
    for title, seconds in (
        ("`litgen new`", results.new_s),
        ("`litgen new --no-git`", results.new_without_git_s),
        ("`copier copy`", results.copier_s),
    ):
        beside = spread(ratios(seconds, results.copier_s), ratio)
        rows.append((title, spread(seconds, ms), beside if seconds is not results.copier_s else "1"))
    return table(("command", "ms", "beside copier"), rows)


def _changes(results: changing.Results) -> str:
    rows = [
        (title, spread(seconds, ms), spread(ratios(seconds, results.copier_update_s), ratio) if beside else "1")
        for title, seconds, beside in (
            ("`litgen add-endpoint`", results.add_endpoint_s, True),
            ("`litgen update`", results.update_s, True),
            ("`copier update`", results.copier_update_s, False),
        )
    ]
    return table(("command", "ms", "beside copier"), rows)


def _rest(results: serving.Results) -> str:
    def start(title: str, value: Callable[[Server], float]) -> tuple[str, Callable[[Contender], str]]:
        return title, lambda contender: spread([value(server) for server in results.starts[contender]], ms)

    def rest(title: str, value: Callable[[Rest], float], form: str) -> tuple[str, Callable[[Contender], str]]:
        return title, lambda contender: spread([value(one) for one in results.rest[contender]], form.format)

    columns = [
        start("start until up, ms", lambda server: server.live_s),
        start("start until it answers, ms", lambda server: server.answer_s),
        rest("HTTP process, MB resident", lambda one: one.http_mb, "{:.1f}"),
        rest("HTTP process, % of a core", lambda one: one.http_cpu, "{:.2f}"),
        rest("all processes, % of a core", lambda one: one.tree_cpu, "{:.2f}"),
    ]
    rows = [(contender.title, *(cell(contender) for _, cell in columns)) for contender in SERVERS]
    return table(("", *(title for title, _ in columns)), rows)
