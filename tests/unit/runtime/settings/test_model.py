from __future__ import annotations

import math
from typing import Any

import pytest

from litgen_runtime.errors import SettingsError
from litgen_runtime.settings import Settings
from litgen_runtime.settings.load import validate
from litgen_runtime.settings.model import RESERVED_PATHS
from tests.unit.runtime.mini import choices, tables

NAN, INF = math.nan, math.inf
NAME = 'lower-case letters, digits and single "-" or "_", starting with a letter'
REFERENCE = '"package.module:Name", something that Python can import'
PATH = 'a path such as "/embed": "/" and then letters, digits and ._~- only'
RUN_LIMIT = 'seconds (more than 0, at most 86400), "auto" for timeout_s, or false or -1 for none'
TIMEOUT = "seconds (more than 0, at most 86400), or false or -1 for none"
SIZE = 'a size of at least 1 byte, such as "10MB" or 10000000, at most "2GiB"'
DEVICES = '"auto", "cpu", "mps", "cuda", "cuda:0" or "cuda:0,2"'
CONNECTIONS = "a whole number of connections, 1 to 1000000"
FEW_SECONDS = "seconds that a request may wait for company, 0 to 60"
POSITIVE = "seconds, more than 0, at most 86400"
SHARE = "a share of the GPU's memory for each worker, more than 0, at most 1"

TABLE = (
    "a table with devices, per_device, gpu_memory_fraction, threads, min_ready, max_restarts, max_requests, max_memory"
)
MEMORY_ALONE = 'a size of at least "1MB", such as "2GB", at most "16384GiB"'
LONG = "seconds, more than 0, at most 31536000"
MEMORY = 'a size of at least "1MB", such as "2GB", past which a worker is replaced'

# key: (values that are taken, values that are refused, what the message expects)
KEYS: dict[str, tuple[list[Any], list[Any], str]] = {
    "service.name": (["a", "my-service_2"], ["", "A", "1a", "a--b", "-a", "a\n", "a" * 64, 3], NAME),
    "service.host": (["0.0.0.0", "::", "localhost"], ["", 3], 'an address to listen on, such as "0.0.0.0"'),
    "service.port": ([0, 8000, 65535], [-1, 65536, "8000", 8000.0, True], "a port, 0 to 65535 (0: any free one)"),
    "service.max_json_bytes": (
        [1, 2**31, "1B", "10MB", "10 mb", "1.5KiB", "2GiB"],
        [0, -1, 2**31 + 1, "10", "0.5B", "3GiB", "ten MB", "MB", "-1MB", "9" * 400 + "GB", 1.5, True, NAN],
        SIZE,
    ),
    "service.max_upload_bytes": ([1, 2**31, "100MB"], [0, 2**31 + 1, "100"], SIZE),
    "service.max_connections": ([1, 1_000_000], [0, 1_000_001, 1.0, "10", True], CONNECTIONS),
    "service.header_timeout_s": ([0.5, 10], [0, -1, NAN, INF, 86_401, "10", True], POSITIVE),
    "service.body_timeout_s": ([0.5, 10], [0, -1, NAN, INF, 86_401, "10", False], POSITIVE),
    "service.hang_timeout_s": ([0.5, 30, False, -1], [0, NAN, INF, 86_401, "10", True], TIMEOUT),
    "service.configure": (["a.b:c"], ["a.b", "", "a b:c", 3], '"package.module:callable", given the FastAPI app'),
    "endpoints.embed.handler": (
        ["a:B", "a.b_2.c:D"],
        ["a", "a:", ":B", "1a:B", "a-b:C", "a:B\n", "a:B.C", 3],
        REFERENCE,
    ),
    "endpoints.embed.request": (["a:B"], ["a"], REFERENCE),
    "endpoints.embed.response": (["a:B"], ["a"], REFERENCE),
    "endpoints.embed.path": (
        ["/embed", "/v1/embed", "/v1/models/a.b_~-c", "/healthy"],
        ["", "/", "/..", "/a/./b", "embed", "/a/", "/a//b", "/a b", "/a?b", "/\u00e9", "/{a}", "/a\n", 3],
        PATH,
    ),
    "endpoints.embed.response_type": (
        ["image/png", "application/vnd.a+json", "text/plain; charset=utf-8"],
        [
            "",
            "image",
            "image/",
            "IMAGE/PNG",
            "image/png\n",
            "image/png;",
            "a/b, c/d",
            "a/b\r\nX: y",
            "a" * 250 + "/b",
            3,
        ],
        'a media type in lower case, such as "image/png"',
    ),
    "endpoints.embed.timeout_s": (
        [False, -1, -1.0, 0.001, 30, 86_400],
        [0, True, "soon", "auto", -2, NAN, INF, -INF, 86_401, []],
        TIMEOUT,
    ),
    "endpoints.embed.queue_timeout_s": ([False, -1, 0.001, 30], [0, True, "auto", NAN], TIMEOUT),
    "endpoints.embed.run_limit_s": ([False, -1, 0.001, "auto"], [0, True, "soon", NAN], RUN_LIMIT),
    "endpoints.embed.kill_grace_s": ([0, 2], [-1, NAN, "2"], "seconds, 0 to 86400"),
    "endpoints.embed.repeatable": ([True, False], [0, "no"], "true or false"),
    "endpoints.embed.quarantine_s": ([False, 600], [0, "soon"], TIMEOUT),
    "endpoints.embed.auth": (
        [False],
        [0, 1, "alice", [], [""], ["a b"], ["a" * 65], [3], {}],
        'true, false or a list of the names of keys, such as ["alice"]',
    ),
    "endpoints.embed.workers": ([{}], [3, "two"], TABLE),
    "endpoints.embed.workers.devices": (
        ["auto", "cpu", "mps", "cuda", "cuda:0", "cuda:0,2"],
        ["", "CPU", "mps:0", "cuda:", "cuda:a", "cuda:0,", "cuda:0,0", "cuda:00", "cuda:\u0663", "cpu\n", 0, ["cpu"]],
        DEVICES,
    ),
    "endpoints.embed.workers.per_device": ([1, 64], [0, 65, 1.0, "1", True], "a whole number of workers, 1 to 64"),
    "endpoints.embed.workers.gpu_memory_fraction": ([0.01, 1], [0, -0.1, 1.1, NAN, INF, "0.5", True], SHARE),
    "endpoints.embed.workers.threads": (
        ["auto", 1, 256],
        [0, 257, "2", 1.0, True],
        '"auto" or a whole number of threads, 1 to 256',
    ),
    "endpoints.embed.workers.min_ready": ([1, 4096], [0, 4097, 1.0, "1"], "a whole number of workers, at least 1"),
    "endpoints.embed.workers.max_restarts": (
        [0, 1000],
        [-1, 1001, "3", True],
        "a whole number of restarts, 0 to 1000",
    ),
    "endpoints.embed.workers.max_requests": (
        [1, 10**12],
        [0, -1, 1.5, "10", True],
        "a whole number of requests, at least 1, after which a worker is replaced",
    ),
    "endpoints.embed.workers.max_memory": (["1MB", "2GB", "16384GiB", 10**6], ["1KB", 999_999, "2", True], MEMORY),
    "endpoints.embed.streaming": ([{}], [3, True], "a table with max_streams and keep_alive_s"),
    "endpoints.embed.streaming.max_streams": (
        [1, 4096],
        [0, 4097, 8.0, True],
        "a whole number of streams that one worker advances in turn, 1 to 4096",
    ),
    "endpoints.embed.streaming.keep_alive_s": ([0.5, False, -1], [0, True, NAN], TIMEOUT),
    "endpoints.embed.batching": ([{}], [3, True], "a table with max_size, max_wait_s, max_weight"),
    "endpoints.embed.batching.max_weight": (
        [0.5, 4096],
        [0, -1, NAN, INF, "8", True],
        "the most that weight() of a batch's requests may sum up to, more than 0",
    ),
    "endpoints.embed.batching.max_size": (
        [1, 4096],
        [0, 4097, 8.0, "8", True],
        "a whole number of requests, 1 to 4096",
    ),
    "endpoints.embed.batching.max_wait_s": ([0, 0.005, 29.9], [-0.1, 61, NAN, INF, "1", True], FEW_SECONDS),
    "endpoints.embed.queue": ([{}], [3], "a table with max_size, max_bytes"),
    "endpoints.embed.queue.max_bytes": ([1, "10MB"], [0, "10"], SIZE),
    "endpoints.embed.queue.max_size": ([1, 1_000_000], [0, 1_000_001, 1.0], "a whole number of requests, 1 to 1000000"),
    "auth.keys": (
        [False, "env:API_KEYS", "file:/run/secrets/api-keys", "file:keys"],
        [
            True,
            0,
            "",
            "env:",
            "env:1A",
            "env:A B",
            "file:",
            "file:a\n",
            "API_KEYS",
            "alice:0123456789abcdef",
            ["env:A"],
        ],
        'false, "env:NAME" (a variable) or "file:PATH" that holds the keys, not the keys themselves',
    ),
    "shutdown.drain_timeout_s": ([0, 30.5, 86_400], [-1, NAN, INF, 86_401, "30", True], "seconds, 0 to 86400"),
    "shutdown.delay_s": ([0, 5], [-1, NAN, INF, "5"], "seconds, 0 to 86400"),
    "shutdown.api": ([True, False], ["yes", 1, 0], "true or false"),
    "endpoints.embed.jobs": ([True, False], ["yes", 1, 0, {}], "true or false"),
    "endpoints.embed.sync_to_job_after_s": ([False, -1, 0.001, 30], [0, True, "auto", NAN], TIMEOUT),
    "endpoints.embed.jobs_at_once": (
        [1, 1_000_000],
        [0, 1_000_001, 1.0, "2", True],
        "a whole number of jobs that run at the same time, 1 to 1000000",
    ),
    "endpoints.embed.jobs_per_minute": (
        [0.1, 60, 10**7],
        [0, -1, NAN, INF, 10**7 + 1, "60", True],
        "how many jobs are accepted in a minute, more than 0, at most 10000000",
    ),
    "endpoints.embed.jobs_burst": (
        [1, 10**7],
        [0, 10**7 + 1, 1.0, "2", True],
        "a whole number of jobs that are accepted at once, 1 to 10000000",
    ),
    "endpoints.embed.idempotency_key": (
        ["optional", "required"],
        ["", "always", True, 1],
        '"optional" or "required", of a job',
    ),
    "jobs.store": (
        ["sqlite:///var/jobs.db", "sqlite:////srv/jobs.db"],
        ["var/jobs.db", "sqlite:///", "sqlite:///:memory:", "postgresql://db", "sqlite:///a?mode=ro", 3],
        '"sqlite:///" and a file, relative to service.toml\'s folder, such as "sqlite:///var/jobs.db"',
    ),
    "jobs.max_attempts": ([1, 100], [0, 101, "3", True], "a whole number of attempts, 1 to 100"),
    "jobs.max_waiting": ([1, 10**7], [0, 10**7 + 1, "3", True], "a whole number of jobs, 1 to 10000000"),
    "jobs.max_waiting_bytes": (["1MB", "2GB", "16384GiB", 10**6], ["1KB", 999_999, "2", True], MEMORY_ALONE),
    "jobs.max_waiting_s": ([0.5, 60, False, -1], [0, True, NAN, INF, 86_401], TIMEOUT),
    "jobs.keep_s": ([1, 86_400, 31_536_000], [0, -1, NAN, INF, 31_536_001, "10", True], LONG),
    "webhooks.secrets": (
        [False, "env:WEBHOOK_SECRETS", "file:secrets/webhooks", "file:/run/secrets/webhooks"],
        [True, "", "env:", "env:A B", "env:1A", "file:", "file:a\nb", 3, ["env:A"]],
        'false, "env:NAME" (a variable) or "file:PATH" that holds the secrets, not the secrets themselves',
    ),
    "webhooks.allow_hosts": (
        [[], ["hooks.example.com", "*.example.com"], ["10.0.0.1", "2606:4700::1111"]],
        ["example.com", 3, True],
        'a list of host names such as "hooks.example.com" or "*.example.com"',
    ),
    "webhooks.allow_http": ([True, False], ["yes", 1, 0], "true or false"),
    "webhooks.allow_private": ([True, False], ["yes", 1, 0], "true or false"),
    "webhooks.ports": ([[443], [1, 65535]], [[], 443, "443"], "a list of at least one port, 1 to 65535"),
    "webhooks.timeout_s": ([0.5, 20], [0, -1, NAN, INF, 86_401, "10", True], POSITIVE),
    "webhooks.schedule_s": (
        [[0], [0, 5, 604_800]],
        [[], 5, "0"],
        "a list of at least one number of seconds, each 0 to 604800",
    ),
    "jobs.remember_s": ([1, 604_800], [0, -1, "10", True], LONG),
}


OF_JOBS = {"sync_to_job_after_s", "jobs_at_once", "jobs_per_minute", "jobs_burst", "idempotency_key"}


def with_key(dotted: str, value: object) -> dict[str, Any]:
    """Return the tables of a service with one key set."""
    raw = tables()
    table = raw
    *path, last = dotted.split(".")
    for key in path:
        table = table.setdefault(key, {})
    table[last] = value
    if last in OF_JOBS:
        table["jobs"] = True
    if last == "jobs_burst":
        table["jobs_per_minute"] = 1.0
    return raw


def refusal(raw: dict[str, Any]) -> str:
    """Return why these tables are refused."""
    with pytest.raises(SettingsError) as refused:
        validate(raw, "service.toml")
    return str(refused.value)


def test_every_key_is_in_the_table() -> None:
    """A key that is added is tested too."""
    every = set()

    def walk(prefix: str, table: dict[str, Any]) -> None:
        for key, value in table.items():
            every.add(prefix + key)
            if isinstance(value, dict):
                walk(f"{prefix}{key}.", value)

    walk("", choices(batching={}).model_dump())
    walk("", choices(streaming={}).model_dump())
    tables = {"service", "endpoints", "endpoints.embed", "shutdown", "jobs", "webhooks", "auth"}
    assert every - tables == set(KEYS)


@pytest.mark.parametrize(("key", "value"), [(key, good) for key, (goods, _, _) in KEYS.items() for good in goods])
def test_good_value(key: str, value: object) -> None:
    """Each value that the reference describes is taken."""
    validate(with_key(key, value), "service.toml")


@pytest.mark.parametrize(("key", "value"), [(key, bad) for key, (_, bads, _) in KEYS.items() for bad in bads])
def test_bad_value(key: str, value: object) -> None:
    """Each bad value is one sentence: the key, the value, what was expected, where to fix it."""
    message = refusal(with_key(key, value))
    assert message.startswith(f"{key} is ")
    assert message.endswith(f"; expected {KEYS[key][2]}. Fix it in service.toml.")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("key", "shown"),
    [("service.port", '"x"'), ("endpoints.embed.timeout_s", "true"), ("endpoints.embed.timeout_s", "NaN")],
)
def test_the_value_is_shown_as_it_is_written(key: str, shown: str) -> None:
    """The message shows the value as TOML and JSON write it."""
    value = {'"x"': "x", "true": True, "NaN": NAN}[shown]
    assert refusal(with_key(key, value)).startswith(f"{key} is {shown}; ")


def test_a_long_value_is_cut() -> None:
    """A megabyte in the wrong place does not fill the terminal."""
    assert len(refusal(with_key("service.name", "A" * 1_000_000))) < 500


@pytest.mark.parametrize(
    ("given", "size"), [("10MB", 10_000_000), ("1.5KiB", 1536), ("2GiB", 2**31), ("7 b", 7), (12, 12), ("1kb", 1000)]
)
def test_sizes(given: object, size: int) -> None:
    """Sizes are integers or numbers with a decimal or binary unit."""
    assert validate(with_key("service.max_json_bytes", given), "x").service.max_json_bytes == size


@pytest.mark.parametrize(("given", "timeout_s"), [(False, None), (-1, None), (-1.0, None), (5, 5.0)])
def test_timeouts(given: object, timeout_s: float | None) -> None:
    """Both false and -1 mean none."""
    assert choices(timeout_s=given).endpoints["embed"].timeout_s == timeout_s


def test_defaults() -> None:
    """The defaults are those that the documentation states."""
    settings = choices()
    endpoint = settings.endpoints["embed"]
    assert (settings.service.host, settings.service.port, settings.service.max_json_bytes) == ("0.0.0.0", 8000, 10**7)
    assert (endpoint.timeout_s, endpoint.queue.max_size, endpoint.batching) == (30.0, 1024, None)
    assert (endpoint.workers.devices, endpoint.workers.per_device) == ("auto", 1)
    assert (settings.service.max_upload_bytes, settings.service.max_connections) == (10**8, 4096)
    assert (settings.shutdown.drain_timeout_s, settings.shutdown.delay_s, settings.shutdown.api) == (30.0, 0.0, False)


@pytest.mark.parametrize("reserved", RESERVED_PATHS)
def test_reserved_path(reserved: str) -> None:
    """The service's own paths, and what lies below them, are refused with the key, the value and a way out."""
    for path in (reserved, reserved + "/below"):
        message = refusal(with_key("endpoints.embed.path", path))
        assert message == (
            f'endpoints.embed.path is "{path}"; expected a path that the service does not use itself. '
            'Choose another, such as "/predict" in service.toml.'
        )


@pytest.mark.parametrize(
    ("devices", "min_ready", "most"),
    [
        ("cpu", 2, None),
        ("cpu", 3, 2),
        ("cuda:0,2", 4, None),
        ("cuda:0,2", 5, 4),
        ("cuda", 9, None),
        ("auto", 9, None),
    ],
)
def test_more_ready_than_there_can_be(devices: str, min_ready: int, most: int | None) -> None:
    """``min_ready`` is bounded by the number of workers, where that is known without a look at the machine."""
    workers = {"devices": devices, "per_device": 2, "min_ready": min_ready}
    if most is None:
        assert choices(workers=workers).endpoints["embed"].workers.min_ready == min_ready
    else:
        assert refusal(tables(workers=workers)) == (
            f"endpoints.embed.workers.min_ready is {min_ready}; expected at most {most}, the number of workers that "
            "devices and per_device give. Lower it or raise per_device in service.toml."
        )


def test_duplicate_path() -> None:
    """Two endpoints on one path are refused, naming both."""
    raw = tables()
    raw["endpoints"]["other"] = raw["endpoints"]["embed"]
    message = refusal(raw)
    assert message.startswith('endpoints.other.path is "/embed"; expected a path of its own; endpoints.embed has it.')


def test_same_last_segment() -> None:
    """Endpoints that share a last path segment are two."""
    raw = tables(path="/a/embed")
    raw["endpoints"]["other"] = raw["endpoints"]["embed"] | {"path": "/b/embed"}
    assert len(validate(raw, "x").endpoints) == 2


@pytest.mark.parametrize("name", ["Embed", "my-embed", "1a", "a__b", "", "a" * 64])
def test_bad_endpoint_name(name: str) -> None:
    """An endpoint's name is a name that Python, TOML and the environment all can write."""
    raw = tables()
    raw["endpoints"][name] = raw["endpoints"].pop("embed")
    message = refusal(raw)
    assert message.startswith(f'endpoints.{name} is "{name}"; expected an endpoint\'s name and table: ')


def test_window_within_the_timeout() -> None:
    """A batch wait that is not shorter than the timeout is refused, with both ways out."""
    message = refusal(tables(timeout_s=1.0, batching={"max_wait_s": 1.0}))
    assert message == (
        "endpoints.embed.batching.max_wait_s is 1.0; expected less than timeout_s (1). "
        "Lower it or raise timeout_s in service.toml."
    )


def test_window_without_a_timeout() -> None:
    """Without a timeout any batch wait goes."""
    choices(timeout_s=False, batching={"max_wait_s": 60})


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_share_without_cuda(device: str) -> None:
    """A share of GPU memory for a worker that has no CUDA device is refused."""
    message = refusal(tables(workers={"devices": device, "gpu_memory_fraction": 0.5}))
    assert message.startswith("endpoints.embed.workers.gpu_memory_fraction is 0.5; expected no such key")


@pytest.mark.parametrize(("per_device", "share", "fits"), [(2, 0.5, True), (3, 1 / 3, True), (2, 0.6, False)])
def test_shares_add_up(per_device: int, share: float, fits: bool) -> None:
    """The shares of the workers on one device are at most the whole."""
    raw = tables(workers={"per_device": per_device, "gpu_memory_fraction": share})
    if fits:
        validate(raw, "x")
    else:
        assert "expected at most 0.5, since 2 workers share each device" in refusal(raw)


def test_frozen() -> None:
    """Choices do not change while a service runs."""
    with pytest.raises(ValueError, match="frozen"):
        choices().service.port = 1  # type: ignore[misc]  # what is tested


@pytest.mark.parametrize("timeout_s", [False, 2.5])
def test_travels_as_json(timeout_s: object) -> None:
    """The HTTP process reads from the supervisor exactly what the supervisor read."""
    settings = choices(timeout_s=timeout_s, batching={"max_size": 8}, workers={"gpu_memory_fraction": 0.5})
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize("auth", [True, ["alice"]])
def test_a_guard_without_keys(auth: object) -> None:
    """An endpoint that is said to need a key is not left open because there are none; with keys it is taken."""
    assert refusal(tables(auth=auth)).startswith("endpoints.embed.auth is ")
    assert refusal(tables(auth=auth)).endswith(
        "; expected no such key while auth.keys names no keys. Set auth.keys, or remove it in service.toml."
    )
    settings = validate(tables(auth=auth) | {"auth": {"keys": "env:A"}}, "x")
    assert settings.endpoints["embed"].auth in (True, ["alice"])
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize("raw", [{"keys": "alice:a-secret-of-mine"}, "alice:a-secret-of-mine", {"keys": ["a-secret"]}])
def test_a_key_in_the_place_of_its_source(raw: object) -> None:
    """Who puts a key itself into service.toml does not find it in a log."""
    message = refusal(tables() | {"auth": raw})
    assert "secret" not in message
    assert "expected" in message


def test_batching_and_streaming() -> None:
    """One endpoint is of one kind."""
    assert refusal(tables(batching={}, streaming={})).startswith(
        'endpoints.embed.batching is "a table"; expected no such table beside streaming. Remove one of the two in'
    )


@pytest.mark.parametrize(
    ("given", "key", "shown", "expected"),
    [
        (
            {"sync_to_job_after_s": 5.0},
            "sync_to_job_after_s",
            "5.0",
            "no such key without jobs = true. Set jobs = true",
        ),
        ({"jobs_at_once": 2}, "jobs_at_once", "2", "no such key without jobs = true. Set jobs = true"),
        ({"jobs_per_minute": 2}, "jobs_per_minute", "2.0", "no such key without jobs = true. Set jobs = true"),
        ({"jobs_burst": 2}, "jobs_burst", "2", "no such key without jobs = true. Set jobs = true"),
        (
            {"idempotency_key": "required"},
            "idempotency_key",
            '"required"',
            "no such key without jobs = true. Set jobs = true",
        ),
        ({"jobs": True, "jobs_burst": 2}, "jobs_burst", "2", "no such key without jobs_per_minute. Set that too"),
        (
            {"jobs": True, "sync_to_job_after_s": 30.5},
            "sync_to_job_after_s",
            "30.5",
            "at most timeout_s (30), after which nobody waits. Lower it or raise timeout_s",
        ),
    ],
)
def test_keys_of_jobs(given: dict[str, Any], key: str, shown: str, expected: str) -> None:
    """They need jobs, and each other, as the message says."""
    message = refusal(tables(**given))
    assert message.startswith(f"endpoints.embed.{key} is {shown}; expected {expected}")


def test_a_burst_is_what_a_minute_brings() -> None:
    """Unless it is given."""
    given: list[dict[str, Any]] = [
        {"jobs_per_minute": 0.5},
        {"jobs_per_minute": 30},
        {"jobs_per_minute": 30, "jobs_burst": 2},
    ]
    assert [choices(jobs=True, **each).endpoints["embed"].burst for each in given] == [1, 30, 2]
    choices(jobs=True, timeout_s=False, sync_to_job_after_s=3600)
