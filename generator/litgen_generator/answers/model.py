"""The answers that describe a service: one pydantic model, from which every other check is derived."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from litgen_generator.answers import words
from litgen_generator.answers.rules import (
    Check,
    Problem,
    Relation,
    Rule,
    evaluated,
    number,
    number_or,
    one_of,
    switch,
    text,
    whole,
)
from litgen_generator.answers.texts import ENDPOINT, SERVICE

DEFAULT_MAX_BATCH_SIZE = 32
DEFAULT_MAX_WAIT_S = 0.002
DEFAULT_MAX_STREAMS = 32
DEFAULT_RESPONSE_TYPE = "application/octet-stream"

RESERVED_PATHS = (
    "/health",
    "/livez",
    "/readyz",
    "/metrics",
    "/docs",
    "/redoc",
    "/openapi.json",
    "/shutdown",
    "/v1/jobs",
    "/v1/deliveries",
)
"""Paths that a service answers itself, each with all that is under it."""

_PACKAGE = 'value | replace("-", "_")'

SERVICE_NAME = (
    text(
        "[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*",
        40,
        'lower-case letters and digits in parts joined by single "-" or "_"',
        'Use a name such as "my-service".',
    )
    .but_not(
        words.KEYWORDS | words.YAML_WORDS,
        "a name that is no word of Python or YAML",
        'Choose another, such as "my-service".',
        _PACKAGE,
    )
    .but_not(
        words.STANDARD_LIBRARY | words.INSTALLED_PACKAGES,
        "a name that is no module of Python or of a common library, which it would hide",
        'Choose another, such as "my-service".',
        _PACKAGE,
    )
    .but_not(
        words.PROJECT_FOLDERS | words.COMMANDS,
        "a name that is no common folder or command, which it would hide",
        'Choose another, such as "my-service".',
        _PACKAGE,
    )
)

_UNPRINTABLE = Check(
    "not value.isprintable() or value != value.strip()",
    "one line of printable characters without spaces around it",
    'Write a short sentence, such as "Embeds sentences.".',
)
DESCRIPTION = text(
    r"""[^"\\<>{}`$]+""",
    200,
    'text without " \\ < > { } ` $, which would break the files it stands in',
    'Write a short sentence, such as "Embeds sentences.".',
).and_unless(_UNPRINTABLE)

ENDPOINT_NAME = (
    text(
        "[a-z][a-z0-9]*(?:_[a-z0-9]+)*",
        40,
        'lower-case letters and digits in parts joined by single "_"',
        'Use a name such as "embed".',
    )
    .but_not(
        words.KEYWORDS | words.YAML_WORDS | words.CLASS_NAMES,
        "a name that neither Python, YAML nor the service's own code uses",
        'Choose another, such as "embed".',
    )
    .but_not(
        words.SKIPPED_FOLDERS,
        "a name whose folder no tool takes for something built or installed",
        'Choose another, such as "embed".',
    )
)

PATH = text(
    r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+",
    200,
    'a URL path such as "/embed" or "/v1/embed", of letters, digits and . _ ~ -',
    "Begin it with / and do not end it with one.",
).or_null()

RESPONSE_TYPE = text(
    r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*(?:; ?[a-z-]+=[A-Za-z0-9_.-]+)*",
    100,
    'a media type in lower case, such as "image/png"',
    f'Use "{DEFAULT_RESPONSE_TYPE}" if unsure.',
).or_null()

_GPUS = 'value.partition(":")[2].split(",")'

DEVICES = text(
    r"auto|cpu|mps|cuda(?::(?:0|[1-9][0-9]{0,2})(?:,(?:0|[1-9][0-9]{0,2}))*)?",
    80,
    '"auto", "cpu", "mps", "cuda" or GPU numbers as in "cuda:0,2"',
    'Use "auto" if unsure.',
).and_unless(
    Check(
        f"{_GPUS} | unique | list | length != {_GPUS} | length",
        "each GPU number once",
        "Remove the repeated one, and raise workers_per_device for more workers on a GPU.",
    )
)

GPU_MEMORY_FRACTION = number(
    0, 1, "a share above 0 and up to 1, or null for no limit", "Use 0.5 for half of a GPU.", above_low=True
).or_null()

TIMEOUT = number_or(
    {"false": False, "-1": -1},
    number(
        0,
        86400,
        "seconds above 0 and up to 86400, or false or -1 for none",
        "Use 30.0 if unsure.",
        above_low=True,
    ),
)

RUN_LIMIT = number_or(
    {"false": False, "-1": -1},
    number(
        0,
        86400,
        "seconds above 0 and up to 86400, false or -1 for no limit, or null for as many as timeout_s",
        "Use null if unsure.",
        above_low=True,
    ),
).or_null()

_PATH = '(endpoint.path or "/" ~ endpoint.name)'
_RESERVED = json.dumps(rf"\A(?:{'|'.join(map(re.escape, RESERVED_PATHS))})/")
_WAIT_S = f"(endpoint.max_wait_s if endpoint.max_wait_s is not none else {DEFAULT_MAX_WAIT_S})"
_HAS_TIMEOUT = "endpoint.timeout_s is not sameas false and endpoint.timeout_s != -1"

RELATIONS = (
    Relation(
        key="path",
        value=_PATH,
        refused_if=f'({_PATH} ~ "/") | regex_search({_RESERVED})',
        expected="a path that the service does not use itself",
        fix='Choose another, such as "/predict".',
    ),
    Relation(
        key="output",
        value="endpoint.output",
        refused_if='endpoint.kind == "stream" and endpoint.output != "json"',
        expected='"json", since kind is "stream", whose items are JSON',
        fix='Remove it, or set kind to "single".',
    ),
    Relation(
        key="jobs",
        value="endpoint.jobs",
        refused_if='endpoint.kind == "stream" and endpoint.jobs',
        expected='false, since kind is "stream", whose answer is sent while it is made',
        fix='Remove it, or set kind to "single".',
    ),
    Relation(
        key="response_type",
        value="endpoint.response_type",
        refused_if='endpoint.output != "bytes" and endpoint.response_type is not none',
        expected='nothing, since output is "{{ endpoint.output }}"',
        fix='Remove it, or set output to "bytes".',
    ),
    *(
        Relation(
            key=key,
            value=value,
            refused_if=f'endpoint.kind != "{kind}" and endpoint.{key} is not none',
            expected='nothing, since kind is "{{ endpoint.kind }}"',
            fix=f'Remove it, or set kind to "{kind}".',
        )
        for kind, key, value in (
            ("batch", "max_batch_size", "endpoint.max_batch_size"),
            ("batch", "max_wait_s", "endpoint.max_wait_s | float"),
            ("stream", "max_streams", "endpoint.max_streams"),
        )
    ),
    Relation(
        key="max_wait_s",
        value=f"{_WAIT_S} | float",
        refused_if=f'endpoint.kind == "batch" and {_HAS_TIMEOUT} and {_WAIT_S} >= endpoint.timeout_s',
        expected="less than timeout_s, which is {{ endpoint.timeout_s | float }}",
        fix="Lower max_wait_s or raise timeout_s.",
    ),
    Relation(
        key="gpu_memory_fraction",
        value="endpoint.gpu_memory_fraction | float",
        refused_if='endpoint.devices in ["cpu", "mps"] and endpoint.gpu_memory_fraction is not none',
        expected='nothing, since devices is "{{ endpoint.devices }}"',
        fix='Remove it, or set devices to "cuda".',
    ),
    Relation(
        key="gpu_memory_fraction",
        value="endpoint.gpu_memory_fraction | float",
        refused_if="(endpoint.gpu_memory_fraction or 0) * endpoint.workers_per_device > 1.000001",
        expected="at most 1 / workers_per_device, which is {{ endpoint.workers_per_device }}",
        fix="Lower one of the two.",
    ),
)
"""What two keys of one endpoint may not be together, looked at once each is good by itself."""


class Endpoint(BaseModel):
    """One endpoint, as its owner describes it; None is "not given"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, ENDPOINT_NAME] = Field(description=ENDPOINT["name"])
    path: Annotated[str | None, PATH] = Field(None, description=ENDPOINT["path"])
    kind: Annotated[str, one_of("batch", "single", "stream", fix='Use "batch" if unsure.')] = Field(
        "batch", description=ENDPOINT["kind"]
    )
    input: Annotated[str, one_of("json", "bytes", "upload", fix='Use "json" if unsure.')] = Field(
        "json", description=ENDPOINT["input"]
    )
    output: Annotated[str, one_of("json", "bytes", fix='Use "json" if unsure.')] = Field(
        "json", description=ENDPOINT["output"]
    )
    response_type: Annotated[str | None, RESPONSE_TYPE] = Field(
        None, description=f"{ENDPOINT['response_type']} {DEFAULT_RESPONSE_TYPE} unless given."
    )
    framework: Annotated[str, one_of("torch", "python", fix='Use "torch" if unsure.')] = Field(
        "torch", description=ENDPOINT["framework"]
    )
    devices: Annotated[str, DEVICES] = Field("auto", description=ENDPOINT["devices"])
    workers_per_device: Annotated[int, whole(1, 64, "Use 1 if unsure.")] = Field(
        1, description=ENDPOINT["workers_per_device"]
    )
    gpu_memory_fraction: Annotated[float | None, GPU_MEMORY_FRACTION] = Field(
        None, description=ENDPOINT["gpu_memory_fraction"]
    )
    max_batch_size: Annotated[int | None, whole(1, 4096, "Use 32 if unsure.").or_null()] = Field(
        None, description=f"{ENDPOINT['max_batch_size']} {DEFAULT_MAX_BATCH_SIZE} unless given."
    )
    max_wait_s: Annotated[
        float | None, number(0, 60, "seconds from 0 to 60", f"Use {DEFAULT_MAX_WAIT_S} if unsure.").or_null()
    ] = Field(None, description=f"{ENDPOINT['max_wait_s']} {DEFAULT_MAX_WAIT_S} unless given.")
    max_streams: Annotated[int | None, whole(1, 4096, "Use 32 if unsure.").or_null()] = Field(
        None, description=f"{ENDPOINT['max_streams']} {DEFAULT_MAX_STREAMS} unless given."
    )
    timeout_s: Annotated[float | Literal[False], TIMEOUT] = Field(30.0, description=ENDPOINT["timeout_s"])
    run_limit_s: Annotated[float | Literal[False] | None, RUN_LIMIT] = Field(None, description=ENDPOINT["run_limit_s"])
    queue_max_size: Annotated[int, whole(1, 1_000_000, "Use 1024 if unsure.")] = Field(
        1024, description=ENDPOINT["queue_max_size"]
    )
    jobs: Annotated[bool, switch("Use false if unsure.")] = Field(False, description=ENDPOINT["jobs"])

    @model_validator(mode="after")
    def _check_relations(self) -> Self:
        names = {"endpoint": self.model_dump()}
        problems = [
            Problem(relation, evaluated(relation.value, **names), relation.key, names)
            for relation in RELATIONS
            if evaluated(relation.refused_if, **names)
        ]
        if problems:
            raise Problem.error(problems)
        return self


ENDPOINTS = Rule(
    (
        Check(
            "value is string or value is mapping or value is not sequence or not value",
            "a list with at least one endpoint",
            "Give one, such as [{name: embed}].",
        ),
    ),
    {"minItems": 1},
)

UNIQUE = tuple(
    Relation(
        key=key,
        value=value,
        refused_if=f"{value} in earlier",
        expected=f"a {key} that no other endpoint has",
        fix="Choose another.",
    )
    for key, value in (("name", "endpoint.name"), ("path", _PATH))
)
"""What tells endpoints apart; `earlier` are the values of the endpoints before."""


class Answers(BaseModel):
    """Everything that `litgen new` asks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service_name: Annotated[str, SERVICE_NAME] = Field(description=SERVICE["service_name"])
    description: Annotated[str, DESCRIPTION] = Field("A model served over HTTP.", description=SERVICE["description"])
    endpoints: Annotated[tuple[Endpoint, ...], ENDPOINTS] = Field(
        (Endpoint(name="predict"),), description=SERVICE["endpoints"]
    )
    api_keys: Annotated[bool, switch("Use false if unsure.")] = Field(False, description=SERVICE["api_keys"])
    webhooks: Annotated[bool, switch("Use false if unsure.")] = Field(False, description=SERVICE["webhooks"])
    shutdown_api: Annotated[bool, switch("Use false if unsure.")] = Field(False, description=SERVICE["shutdown_api"])
    drain_timeout_s: Annotated[float, number(0, 3600, "seconds from 0 to 3600", "Use 30.0 if unsure.")] = Field(
        30.0, description=SERVICE["drain_timeout_s"]
    )
    python_version: Annotated[
        str, one_of("3.11", "3.12", "3.13", "3.14", fix='Use "3.11" if unsure, in quotes where it is YAML.')
    ] = Field("3.11", description=SERVICE["python_version"])
    deployment: Annotated[str, one_of("kubernetes", "docker", "none", fix='Use "kubernetes" if unsure.')] = Field(
        "kubernetes", description=SERVICE["deployment"]
    )
    ci: Annotated[str, one_of("github", "none", fix='Use "github" if unsure.')] = Field(
        "github", description=SERVICE["ci"]
    )

    def plain(self) -> dict[str, Any]:
        """The answers that were given, as YAML has them."""
        return self.model_dump(mode="json", exclude_none=True)

    @model_validator(mode="after")
    def _check_unique(self) -> Self:
        problems = []
        for relation in UNIQUE:
            earlier: list[object] = []
            for index, endpoint in enumerate(self.endpoints):
                names = {"endpoint": endpoint.model_dump(), "earlier": earlier}
                value = evaluated(relation.value, **names)
                if evaluated(relation.refused_if, **names):
                    problems.append(Problem(relation, value, f"endpoints[{index}].{relation.key}"))
                earlier.append(value)
        if problems:
            raise Problem.error(problems)
        return self


MOOT = "Webhooks tell of jobs, and no endpoint takes any. To have one take them: litgen set ENDPOINT.jobs=true"
"""What is said of an answer that changes nothing yet."""


def is_moot(key: str, answers: Mapping[str, Any]) -> bool:
    """Whether nothing hangs on an answer about the service, given the others: webhooks tell of jobs.

    Args:
        key: The question.
        answers: What is known so far.
    """
    endpoints = answers.get("endpoints")
    return key == "webhooks" and endpoints is not None and not any(each.get("jobs") for each in endpoints)
