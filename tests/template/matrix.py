"""Which answers are rendered: every pair of choices at least once, plus names and sizes at their limits."""

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

from allpairspy import AllPairs

Row = dict[str, Any]
"""Answers, as a file of them says them."""

LONG_SERVICE = "service-with-a-name-as-long-as-may-be-ok"
LONG_ENDPOINT = "endpointwithanameaslongasitmaypossiblybe"
MANY_PARTS = "a_b_c_d_e_f_g_h_i_j_k_l_m_n_o_p_q_r_s_t"

_SERVICE: dict[str, Sequence[Any]] = {
    "service_name": ["x", "my-service", "my_other_service", LONG_SERVICE, "v2"],
    "description": [
        "Embeds sentences.",
        "# It's a #1 service: *bold*, [linked](x) & 50 % off",
        "'quoted', key: value, - dash, | pipe, ~ tilde, @ at, ! bang, ? mark",
        "Größe 文字 🦊 → naïve; x" + " and so on" * 17,
    ],
    "api_keys": [False, True],
    "webhooks": [False, True],
    "shutdown_api": [False, True],
    "drain_timeout_s": [0, 0.25, 30.0, 3600],
    "python_version": ["3.11", "3.12", "3.13", "3.14"],
    "deployment": ["kubernetes", "docker", "none"],
    "ci": ["github", "none"],
    "others": [0, 1, 11],
}
_ENDPOINT: dict[str, Sequence[Any]] = {
    "name": ["embed", "x", LONG_ENDPOINT, MANY_PARTS, "service", "conftest"],
    "path": [None, "/v1/embed", "/-/..._/~x", "/" + "long/" * 30 + "path"],
    "kind": ["batch", "single", "stream"],
    "input": ["json", "bytes", "upload"],
    "output": ["json", "bytes"],
    "response_type": [None, "image/png", "text/plain; charset=utf-8"],
    "framework": ["torch", "python"],
    "devices": ["auto", "cpu", "mps", "cuda", "cuda:0", "cuda:0,2"],
    "workers_per_device": [1, 2, 64],
    "gpu_memory_fraction": [None, 0.01, 1],
    "max_batch_size": [None, 1, 4096],
    "max_wait_s": [None, 0, 0.00001],
    "max_streams": [None, 1, 4096],
    "timeout_s": [30.0, 0.5, False, -1, 86400],
    "run_limit_s": [None, 0.5, False, -1, 86400],
    "queue_max_size": [1024, 1, 1_000_000],
    "jobs": [False, True],
}
_BOOTED: dict[str, Sequence[Any]] = {
    "service_name": ["my-service", LONG_SERVICE],
    "kind": ["batch", "single", "stream"],
    "input": ["json", "bytes", "upload"],
    "output": ["json", "bytes"],
    "framework": ["python", "torch"],
    "devices": ["auto", "cpu", "cuda:0,2"],
    "workers_per_device": [1, 2],
    "max_batch_size": [None, 1],
    "timeout_s": [30.0, False],
    "run_limit_s": [None, 20],
    "queue_max_size": [1024, 1],
    "api_keys": [False, True],
    "jobs": [False, True],
    "webhooks": [False, True],
    "shutdown_api": [False, True],
    "others": [0, 2],
}
_CHANGED: dict[str, Sequence[Any]] = {
    "service_name": ["my-service", "x"],
    "api_keys": [False, True],
    "jobs": [False, True],
    "webhooks": [False, True],
    "shutdown_api": [False, True],
    "drain_timeout_s": [30.0, 0.25],
    "deployment": ["kubernetes", "docker", "none"],
    "ci": ["github", "none"],
    "name": ["embed", "conftest"],
    "path": [None, "/v1/embed"],
    "kind": ["batch", "single", "stream"],
    "input": ["json", "bytes", "upload"],
    "output": ["json", "bytes"],
    "framework": ["torch", "python"],
    "devices": ["auto", "cpu", "cuda:0,2"],
    "timeout_s": [30.0, False],
    "others": [0, 2],
}


def rendered() -> list[Row]:
    """Answers that every choice of ``litgen new`` meets every other in; each is rendered and linted."""
    return [_answers(row) for row in _pairs({**_SERVICE, **_ENDPOINT})] + booted()


def booted() -> list[Row]:
    """The rows, fewer of them, that are also installed and run: every pair of what acts at run time."""
    return [_answers(row) for row in _pairs(_BOOTED)]


def changed() -> list[Row]:
    """The rows, few of them, whose projects are changed: every pair of what decides which files there are."""
    return [_answers(row) for row in _pairs(_CHANGED)]


def title(answers: Row) -> str:
    """Return the row in a few words, for a test's name."""
    first = answers["endpoints"][0]
    words = [first.get("framework", "torch"), first.get("kind", "batch"), first.get("input", "json")]
    words += [first.get("output", "json"), first.get("devices", "auto")]
    return "-".join([answers["service_name"][:10], *words, str(len(answers["endpoints"]))])


def _pairs(choices: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    names = list(choices)
    rows = AllPairs(
        [choices[name] for name in names],
        filter_func=lambda row: _is_allowed(dict(zip(names, row, strict=False))),
    )
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return found + _left_out(choices, found)


def _left_out(choices: Mapping[str, Sequence[Any]], rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with the pairs that AllPairs gave up on, as it does where choices exclude each other."""
    pairs = [
        {first: one, second: other}
        for first, second in combinations(choices, 2)
        for one, other in product(choices[first], choices[second])
        if _is_allowed({first: one, second: other})
    ]
    missing = [pair for pair in pairs if not any(pair.items() <= row.items() for row in rows)]
    added = []
    while any(_whole(pair, rows) for pair in missing):
        wanted: dict[str, Any] = {}
        for pair in missing:
            together = {**wanted, **pair}
            if wanted.items() <= together.items() and _whole(together, rows):
                wanted = together
        added.append(_whole(wanted, rows))
        missing = [pair for pair in missing if not pair.items() <= added[-1].items()]
    return added


def _whole(begun: Mapping[str, Any], rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The first row that is still allowed with some of its choices exchanged; empty if there is none."""
    return next(filter(_is_allowed, ({**row, **begun} for row in rows)), {})


def _is_allowed(row: Mapping[str, Any]) -> bool:
    """Whether litgen takes these choices together; AllPairs asks with rows that are only begun."""
    kind = row.get("kind")
    share = row.get("gpu_memory_fraction")
    return not (
        (kind != "batch" and (row.get("max_batch_size") is not None or row.get("max_wait_s") is not None))
        or (kind != "stream" and row.get("max_streams") is not None)
        or (kind == "stream" and row.get("output") == "bytes")
        or (kind == "stream" and row.get("jobs"))
        or (row.get("output") != "bytes" and row.get("response_type") is not None)
        or (row.get("devices") in ("cpu", "mps") and share is not None)
        or (share is not None and share * row.get("workers_per_device", 1) > 1)
    )


def _answers(row: Mapping[str, Any]) -> Row:
    """Turn a row into answers: what is None is not given, and ``others`` are endpoints with defaults."""
    endpoint = {key: value for key, value in row.items() if key in _ENDPOINT and value is not None}
    endpoint.setdefault("name", "embed")
    others = [
        {
            "name": f"other_{i}",
            "framework": ("python", "torch")[i % 4 == 2],
            "kind": ("single", "batch", "stream")[i % 3],
            "input": ("json", "bytes", "upload")[i // 3 % 3],
            "devices": ("cpu", "auto")[i % 2],
        }
        for i in range(row["others"])
    ]
    answers = {key: value for key, value in row.items() if key in _SERVICE and key != "others"}
    return {**answers, "endpoints": [endpoint, *others]}
