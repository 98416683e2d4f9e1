"""One table of answers that must be refused, by litgen and by plain copier alike."""

from typing import Any, NamedTuple

GOOD = {"service_name": "svc"}


class Bad(NamedTuple):
    """Answers of which exactly one is bad.

    Args:
        answers: The answers, besides the service's name.
        key: The key that the message names.
        says: Something else that the message holds: the value or the expectation.
    """

    answers: dict[str, Any]
    key: str
    says: str


def service(key: str, value: Any, says: str = "expected") -> Bad:
    """A bad answer about the service."""
    return Bad({key: value}, key, says)


def endpoint(says: str = "expected", /, key: str = "", **keys: Any) -> Bad:
    """A bad answer about an endpoint; the key told is the last one given, unless another is named."""
    answers = {"endpoints": [{"name": "embed", **keys}]}
    return Bad(answers, f"endpoints[0].{key or list(keys)[-1]}", says)


BAD_NAMES = [
    *(
        "",
        "A",
        "Embed",
        "1st",
        "my service",
        "my.service",
        "my/service",
        "../up",
        "-a",
        "a-",
        "_a",
        "a_",
        "a--b",
        "a__b",
    ),
    *("a" * 41, "größe", "a\n", "a;rm", "{{ 7 * 7 }}", "<b>", 'a"b', "a'b", "$(id)"),
]

YAML_OR_PYTHON = ["class", "match", "import", "yes", "null"]
HIDING = [
    "torch",
    "test",
    "tests",
    "json",
    "numpy",
    "litgen-runtime",
    "typing-extensions",
    "python",
    "src",
    "vendor",
    "opentelemetry",
    "stubtest",
    "rm",
]
BAD_TEXTS = [
    "",
    " ",
    " a",
    "a\nb",
    "a\tb",
    "a\x00b",
    "a\u202eb",
    'a "b"',
    "a\\b",
    "<script>",
    "{{ 7 * 7 }}",
    "`id`",
    "$HOME",
]
NO_SWITCHES: list[Any] = [0, 1, "banana", None, []]
NO_LISTS: list[Any] = [[], {}, {"name": "embed"}, None, 3]
BAD_SECONDS: list[Any] = [-0.1, 3600.1, True, "soon", None, float("nan"), float("inf"), [30]]

SERVICE = [
    *(service("service_name", name) for name in BAD_NAMES),
    *(service("service_name", word, "no word of Python or YAML") for word in YAML_OR_PYTHON),
    *(service("service_name", name, "which it would hide") for name in HIDING),
    *(service("description", text) for text in BAD_TEXTS),
    service("description", "a" * 201, "at most 200 characters"),
    *(service("endpoints", value, "a list with at least one endpoint") for value in NO_LISTS),
    *(Bad({"endpoints": [value]}, "endpoints[0]", "a mapping of keys") for value in (None, 3, "embed", ["embed"])),
    *(service("api_keys", value, "true or false") for value in NO_SWITCHES),
    *(service("webhooks", value, "true or false") for value in NO_SWITCHES),
    *(service("shutdown_api", value, "true or false") for value in NO_SWITCHES),
    *(service("drain_timeout_s", value, "seconds from 0 to 3600") for value in BAD_SECONDS),
    *(service("python_version", value, '"3.11", "3.12", "3.13", "3.14"') for value in ("", "3.10", "3", "3.11.2")),
    *(service("deployment", value, '"kubernetes", "docker", "none"') for value in ("", "k8s", "Docker")),
    *(service("ci", value, '"github", "none"') for value in ("", "gitlab")),
]

USED_NAMES = ["class", "match", "on", "none", "endpoint", "batch_endpoint", "http_error", "request", "value_error"]
USED_NAMES += ["stream_endpoint", "chunk", "upload", "iterator", "i"]
NO_PATHS: list[Any] = [
    *("", "embed", "/", "//", "/a/", "/a//b", "/a b", "/a?b", "/a#b", "/{id}", "/ü", "/a%2f", "/.", "/a/../b", "/a\n"),
    *(3, True),
]
USED_PATHS = [
    *("/health", "/livez", "/readyz", "/metrics", "/docs", "/redoc", "/openapi.json", "/shutdown", "/v1/jobs"),
    *("/v1/jobs/7", "/v1/deliveries", "/docs/oauth2-redirect"),
]
NO_DEVICES: list[Any] = [
    *("", "mps:0", "gpu", "CPU", "cuda:", "cuda:a", "cuda:0,", "cuda:00", "cuda: 0", "cuda:0;1"),
    *(0, [0, 1], None),
]
NO_MEDIA_TYPES: list[Any] = [
    "",
    "png",
    "image/",
    "Image/PNG",
    "image/png;",
    "image/png\n",
    "text/<b>",
    'a/b"c',
    3,
    ["a/b"],
]
NO_SHARES: list[Any] = [0, -0.5, 1.01, "half", True, float("nan")]
NO_TIMEOUTS: list[Any] = [0, -2, 86401, True, None, "soon", float("nan")]
NO_RUN_LIMITS: list[Any] = [0, -2, 86401, True, "auto", float("nan"), [1]]

ENDPOINT = [
    *(endpoint(name=name) for name in [*BAD_NAMES, "a-b", None, 3, True, ["a"]]),
    *(endpoint("neither Python, YAML", name=name) for name in USED_NAMES),
    *(endpoint("built or installed", name=name) for name in ("build", "dist", "node_modules", "venv")),
    *(endpoint("a URL path", path=path) for path in NO_PATHS),
    *(endpoint("does not use itself", path=path) for path in USED_PATHS),
    Bad({"endpoints": [{"name": "health"}]}, "endpoints[0].path", '"/health"'),
    *(endpoint('"batch", "single", "stream"', kind=value) for value in ("", "streaming", None, 1)),
    *(endpoint('"json", "bytes", "upload"', input=value) for value in ("", "Upload", "multipart", None, True)),
    *(endpoint('"json", "bytes"', output=value) for value in ("", "upload", None, 1)),
    endpoint('"json", since kind is "stream"', key="output", output="bytes", kind="stream"),
    *(endpoint("a media type", output="bytes", response_type=value) for value in NO_MEDIA_TYPES),
    endpoint("at most 100 characters", output="bytes", response_type="image/" + "x" * 100),
    endpoint('output is "json"', response_type="image/png"),
    endpoint('output is "json"', key="response_type", response_type="image/png", kind="stream"),
    *(endpoint('"torch", "python"', framework=value) for value in ("", "jax", None)),
    *(endpoint("GPU numbers", devices=value) for value in NO_DEVICES),
    endpoint("each GPU number once", devices="cuda:0,1,0"),
    *(endpoint("1 to 64", workers_per_device=value) for value in (0, 65, -1, 1.0, "2", True, None)),
    *(endpoint("above 0 and up to 1", gpu_memory_fraction=value) for value in NO_SHARES),
    endpoint('devices is "cpu"', key="gpu_memory_fraction", gpu_memory_fraction=0.5, devices="cpu"),
    endpoint('devices is "mps"', key="gpu_memory_fraction", gpu_memory_fraction=0.5, devices="mps"),
    endpoint("at most 1 /", key="gpu_memory_fraction", gpu_memory_fraction=0.5, workers_per_device=3),
    *(endpoint("1 to 4096", max_batch_size=value) for value in (0, 4097, 1.5, "32", True)),
    *(endpoint("0 to 60", max_wait_s=value) for value in (-0.1, 60.1, "now", True, float("inf"))),
    endpoint('kind is "single"', key="max_batch_size", max_batch_size=32, kind="single"),
    endpoint('kind is "single"', key="max_wait_s", max_wait_s=0, kind="single"),
    endpoint('kind is "stream"', key="max_batch_size", max_batch_size=32, kind="stream"),
    *(endpoint("1 to 4096", kind="stream", max_streams=value) for value in (0, 4097, 1.5, "32", True)),
    endpoint('kind is "batch"', max_streams=32),
    endpoint('kind is "single"', key="max_streams", max_streams=32, kind="single"),
    *(endpoint("above 0 and up to 86400", timeout_s=value) for value in NO_TIMEOUTS),
    endpoint("less than timeout_s, which is 1.0", key="max_wait_s", max_wait_s=1, timeout_s=1),
    endpoint("less than timeout_s, which is 0.001", key="max_wait_s", timeout_s=0.001),
    *(endpoint("or null for as many as timeout_s", run_limit_s=value) for value in NO_RUN_LIMITS),
    *(endpoint("1 to 1000000", queue_max_size=value) for value in (0, 1_000_001, 2.5, "many", True, None)),
    *(endpoint("true or false", jobs=value) for value in NO_SWITCHES),
    endpoint('kind is "stream"', key="jobs", jobs=True, kind="stream"),
    *(
        Bad({"endpoints": [{"name": "embed", key: 1}]}, f"endpoints[0].{key}", "no such key")
        for key in ("bath", "Name", "class_name", "repeatable")
    ),
    Bad({"endpoints": [{"path": "/embed"}]}, "endpoints[0].name", "is missing"),
    Bad({"endpoints": [{"name": "a"}, {"name": "a", "path": "/b"}]}, "endpoints[1].name", "no other endpoint has"),
    Bad({"endpoints": [{"name": "a"}, {"name": "b", "path": "/a"}]}, "endpoints[1].path", "no other endpoint has"),
    Bad({"endpoints": [{"name": "a"}, {"name": "b", "kind": "x"}]}, "endpoints[1].kind", '"x"'),
]

BAD = [*SERVICE, *ENDPOINT]

ONLY_LITGEN = [
    service("service_name", None),
    service("service_name", ["svc"]),
    service("description", None),
    service("description", {"en": "Embeds."}),
    service("deployment", None),
    service("python_version", 3.12, "in quotes"),
    service("colour", "red", "no such key"),
    service("package_name", "evil", "no such key"),
]
"""Copier reads these differently: an unknown name is no question of its, and a text it makes of what it is given."""

COMPUTED = [
    ("package_name", "evil"),
    ("resolved_endpoints", "[]"),
    ("takes_jobs", True),
    ("runtime_version", "9.9"),
    ("termination_grace_s", 1),
    ("uses_torch", True),
]
"""Names of computed questions, which copier must not take an answer for."""
