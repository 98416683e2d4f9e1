"""The page: tables of medians, and how to read them."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median

from tests.benchmarks import generating, serving
from tests.benchmarks.contenders import CONTENDERS, LITGEN, Contender
from tests.benchmarks.load import Reading
from tests.benchmarks.servers import Server
from tests.benchmarks.serving import Plan, Rest
from tests.benchmarks.works import CONNECTIONS, WORKS, Work

_PEERS = [contender for contender in CONTENDERS if contender is not LITGEN]

_READING = """\
Written by `make bench`; the next run replaces it. One run makes the environments and then takes {turns} turns. In each
turn, each load is put on each server in turn, freshly started on a free port of 127.0.0.1, warmed up for a second, and
alone; the next turn begins with another one. A figure is the median of its turns, with the lowest and the highest in
brackets. A ratio is taken within each turn, between runs a few seconds apart, and is the median of those.

**Compare within this page, never across pages.** The load generator shares the machine's cores with the servers,
so the absolute figures say as much about the machine as about the software; the ratios are what carries over.
Where the brackets of a ratio include 1, the run does not say which is faster.

{others}

All servers do the same work: the same JSON body, the same pydantic models on the way in and out, HTTP/1.1 with
kept-alive connections, uvloop and httptools, no access log, one HTTP process and, where there are workers at all,
one worker process. litgen has validation, request ids, deadlines and queue bounds on, as every service has: there
is no benchmark mode. The bare server has no worker and nothing to dispatch. wrk is a closed loop: each connection
sends its next request when it has its answer, so at a server's limit the latency is the number of connections
divided by the throughput. Failed requests do not count as answers; where there were any, their number is given."""

_QUIET = "Other programs took {median:.0%} of the machine during the loads (at most {most:.0%})."
_NOISY = "**This run was disturbed**: " + _QUIET + " Repeat it on an idle machine before you quote it."
_NOISY_SHARE = 0.1

_NEW = """\
`litgen new` also makes a git repository with a first commit and checks the answers; copier renders the same template
bundle to the same files (compared, byte for byte). Both are installed, not run from the checkout."""

_REST = """\
"Up" is the first 200 of the probe; LitServe has no liveness probe, its /health is 200 once its worker is ready.
"Answers" is the first right answer to a prediction. Memory and processor time are read while nothing is asked, for
{idle_s:g} s; the HTTP process is the one that holds the connections."""


def written(
    machine: Sequence[tuple[str, str]],
    versions: Sequence[tuple[str, str]],
    generator: generating.Results,
    results: serving.Results,
    plan: Plan,
) -> str:
    """Return the page as Markdown."""
    parts = [
        "# Benchmarks",
        _READING.format(turns=plan.turns, others=_others(results)),
        "## The generator",
        _generator(generator),
        _NEW,
    ]
    parts += ["## At rest", _rest(results), _REST.format(idle_s=plan.idle_s)]
    for work in WORKS:
        parts += [f"## {work.name}: {work.title}", "Requests a second:", _throughput(results, work)]
        parts += ["Latency in ms, median / 99th percentile:", _latency(results, work)]
    parts += ["## The machine", _table(("", ""), machine), "## The versions", _table(("", "installed"), versions)]
    return "\n\n".join(parts) + "\n"


def _generator(results: generating.Results) -> str:
    rows = [("`litgen --help`", _spread(results.help_s, _ms), "")]
    for title, seconds in (
        ("`litgen new`", results.new_s),
        ("`litgen new --no-git`", results.new_without_git_s),
        ("`copier copy`", results.copier_s),
    ):
        ratio = _spread(_ratios(seconds, results.copier_s), "{:.2f}".format)
        rows.append((title, _spread(seconds, _ms), ratio if seconds is not results.copier_s else "1"))
    return _table(("command", "ms", "beside copier"), rows)


def _others(results: serving.Results) -> str:
    usual, most = median(results.others), max(results.others)
    return (_NOISY if most > _NOISY_SHARE else _QUIET).format(median=usual, most=most)


def _rest(results: serving.Results) -> str:
    def start(title: str, value: Callable[[Server], float]) -> list[str]:
        return [title, *(_spread([value(server) for server in results.starts[c]], _ms) for c in CONTENDERS)]

    def rest(title: str, value: Callable[[Rest], float], form: str) -> list[str]:
        return [title, *(_spread([value(rest) for rest in results.rest[c]], form.format) for c in CONTENDERS)]

    rows = [
        start("start until up, ms", lambda server: server.live_s),
        start("start until it answers, ms", lambda server: server.answer_s),
        rest("HTTP process, MB resident", lambda rest: rest.http_mb, "{:.1f}"),
        rest("HTTP process, % of a core", lambda rest: rest.http_cpu, "{:.2f}"),
        rest("all processes, % of a core", lambda rest: rest.tree_cpu, "{:.2f}"),
    ]
    return _table(("", *(f"{c.title} ({c.processes})" for c in CONTENDERS)), rows)


def _throughput(results: serving.Results, work: Work) -> str:
    rows = []
    for connections in CONNECTIONS:
        rates = {c: [reading.per_s for reading in results.loads[work, c, connections]] for c in CONTENDERS}
        figures = [
            _spread(rates[c], "{:,.0f}".format) + _failures(results.loads[work, c, connections]) for c in CONTENDERS
        ]
        ratios = [_spread(_ratios(rates[LITGEN], rates[peer]), "{:.2f}".format) for peer in _PEERS]
        rows.append([str(connections), *figures, *ratios])
    heads = [*(c.title for c in CONTENDERS), *(f"litgen / {peer.title}" for peer in _PEERS)]
    return _table(("connections", *heads), rows)


def _failures(readings: Sequence[Reading]) -> str:
    failed = sum(reading.failed for reading in readings)
    return f", **{failed:,} failed**" if failed else ""


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Turn by turn."""
    return [mine / other for mine, other in zip(ours, theirs, strict=True)]


def _latency(results: serving.Results, work: Work) -> str:
    def figure(contender: Contender, connections: int) -> str:
        readings: list[Reading] = results.loads[work, contender, connections]
        return f"{median(r.p50_ms for r in readings):.2f} / {median(r.p99_ms for r in readings):.2f}"

    rows = [[str(connections), *(figure(c, connections) for c in CONTENDERS)] for connections in CONNECTIONS]
    return _table(("connections", *(c.title for c in CONTENDERS)), rows)


def _spread(values: Sequence[float], form: Callable[[float], str]) -> str:
    return f"{form(median(values))} ({form(min(values))} to {form(max(values))})"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.0f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
